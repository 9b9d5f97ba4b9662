"""CSV, TSV, JSONL, JSON and Parquet files, row by row."""

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from producer.sources import (
    ReadEvent,
    ReadLimits,
    Source,
    SourceDuplicate,
    SourceNote,
    SourceProblem,
    read_sources,
)


def read(path: Path, content: str | bytes, *, limits: ReadLimits | None = None, **options: str) -> list[ReadEvent]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = {"text_column": "text", **options}
    return list(read_sources([path], limits=limits or ReadLimits(), **options))  # type: ignore[arg-type]


def names_and_texts(events: list[ReadEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.text) for event in events if isinstance(event, Source)]


def problems(events: list[ReadEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, SourceProblem)]


def test_rows_are_named_by_their_number_or_their_id(tmp_path: Path) -> None:
    content = 'key,text\nx1,"one, and\ntwo"\n,three\n'
    assert names_and_texts(read(tmp_path / "a.csv", content)) == [
        ("a.csv#row 1", "one, and\ntwo"),
        ("a.csv#row 2", "three"),
    ]
    assert names_and_texts(read(tmp_path / "a.csv", content, id_column="key")) == [
        ("x1", "one, and\ntwo"),
        ("a.csv#row 2", "three"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "\ufeffid,text\n1,one\n"),
        ("a.csv", "id;text\r\n1;one\r\n"),
        ("a.csv", '"id","text","a; b; c"\n1,one,\n'),
        ("a.csv", "\n\nid,text\n\n1,one\n\n"),
        ("a.csv", "id,text\r1,one\r"),
        ("a.tsv", "id\ttext\n1\tone\n"),
        ("a.jsonl", '{"id": 1, "text": "one"}\n\n'),
        ("a.json", '[{"id": 1, "text": "one"}]'),
        ("a.json", '{"id": 1, "text": "one"}'),
    ],
)
def test_every_dialect_gives_the_same_row(tmp_path: Path, name: str, content: str) -> None:
    (source,) = read(tmp_path / name, content, id_column="id")
    assert isinstance(source, Source)
    assert (source.name, source.text, source.metadata) == ("1", "one", {"file": name, "row": "1"})


def test_a_csv_in_a_legacy_encoding_is_decoded(tmp_path: Path) -> None:
    (source,) = read(tmp_path / "a.csv", "text\n“déjà vu” à Orléans\n".encode("cp1252"))
    assert isinstance(source, Source)
    assert source.text == "“déjà vu” à Orléans"


def test_strings_are_documents_of_their_own(tmp_path: Path) -> None:
    assert names_and_texts(read(tmp_path / "a.jsonl", '"one"\n"two"\n')) == [
        ("a.jsonl#row 1", "one"),
        ("a.jsonl#row 2", "two"),
    ]


def test_title_and_other_columns_are_kept_as_metadata(tmp_path: Path) -> None:
    record = {"text": "one", "Title": "T", "year": 2024, "tags": ["a", "é"], "none": None}
    (source,) = read(tmp_path / "a.jsonl", json.dumps(record))
    assert isinstance(source, Source)
    assert source.title == "T"
    assert source.metadata == {"file": "a.jsonl", "row": "1", "year": "2024", "tags": '["a", "é"]'}


def test_cells_with_html_become_markdown_and_others_stay(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", "text\n<h2>Head</h2><p>body</p>\na < b *and* c > d\n")
    assert names_and_texts(events) == [("a.csv#row 1", "## Head\n\nbody"), ("a.csv#row 2", "a < b *and* c > d")]
    assert [event.format for event in events if isinstance(event, Source)] == ["markdown", "text"]


def test_a_guessed_column_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ID,article\nfirst,one\n,two\n")
    text = "the text is taken from column 'article' (change it with --text-column)"
    ident = "the names are taken from column 'ID' (change it with --id-column)"

    note, first, second = read_sources([tmp_path / "a.csv"])
    assert isinstance(note, SourceNote)
    assert note.message == f"a.csv: {text} and {ident}."
    assert (first.name, second.name) == ("first", "a.csv#row 2")
    note, _, _ = read_sources([tmp_path / "a.csv"], text_column="article")
    assert isinstance(note, SourceNote)
    assert note.message == f"a.csv: {ident}."
    assert [event.name for event in read_sources([tmp_path / "a.csv"], text_column="article", id_column="article")] == [
        "one",
        "two",
    ]


def test_rows_without_an_id_are_duplicates_by_their_text(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", "text\none\ntwo\none\n")
    assert events[2] == SourceDuplicate("a.csv#row 3", "a.csv#row 1")
    assert len(names_and_texts(events)) == 2


def test_rows_with_an_id_are_duplicates_by_id_and_text(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", "id,text\n1,one\n2,one\n1,two\n1,one\n", id_column="id")
    assert names_and_texts(events) == [("1", "one"), ("2", "one"), ("1", "two")]
    assert events[3] == SourceDuplicate("1", "1")


def test_a_table_without_rows_is_empty(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "made.parquet")
    tables = {"a.csv": b"id,text\n", "a.tsv": b"text\n\n", "a.parquet": (tmp_path / "made.parquet").read_bytes()}

    said = [problems(read(tmp_path / name, content)) for name, content in tables.items()]

    assert said == [[f"{name} is empty; give a table with a header and at least one row."] for name in tables]


def test_bad_rows_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", "id,text\n1,\n2,a,b\n3\n4,good\n")
    assert names_and_texts(events) == [("4", "good")]
    assert problems(events) == [
        "a.csv#row 1 has no text in column 'text'; fill it in or leave the row out.",
        "a.csv#row 2 has 3 cells where the header has 2; put its text in quotes.",
        "a.csv#row 3 has no text in column 'text'; fill it in or leave the row out.",
    ]


def test_bad_json_lines_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = ["nope", "[1]", '{"text": 5}', '{"text": null}', '{"text": "a\\u0000"}', "[" * 100_000, '{"text": "good"}']
    events = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert names_and_texts(events) == [("a.jsonl#row 7", "good")]
    reasons = ("not valid JSON", "is a list; give", "holds a number", "no text", "NUL characters", "not valid JSON")
    for message, reason in zip(problems(events), reasons, strict=True):
        assert reason in message


def test_a_quote_that_never_closes_costs_its_row(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", 'text\none\n"two\nthree\nfour\n')
    assert names_and_texts(events) == [("a.csv#row 1", "one"), ("a.csv#row 3", "three"), ("a.csv#row 4", "four")]
    assert problems(events) == ["a.csv#row 2 is broken: a quote opens in it and never closes; close it."]


def test_a_quote_too_many_that_joins_rows_costs_its_row(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", 'id,text\n1,"one\n2,two, too\n3,"three"\n4,four\n')
    assert [name for name, _ in names_and_texts(events)] == ["3", "4"]
    assert len(problems(events)) == 2


def test_a_line_with_quotes_within_its_quotes_is_read(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", 'id,text\n1,"a 5" pipe"\n2,"two" \n')
    assert names_and_texts(events) == [("1", 'a 5 pipe"'), ("2", "two ")]


def test_quotes_that_never_close_end_in_bounded_time(tmp_path: Path) -> None:
    content = "text\n" + '"x\ny' * 2_000
    events = read(tmp_path / "a.csv", content.replace('y"', 'y\n"'), limits=ReadLimits(text_chars=2_000))
    assert events
    assert all(isinstance(event, SourceProblem | SourceDuplicate | Source) for event in events)


@pytest.mark.parametrize("long", ["x" * 200_000, '"' + "x\n" * 150_000 + '"', '"a ""b"" ' + "x\n" * 99_999 + '"'])
def test_a_row_that_is_too_long_costs_itself(tmp_path: Path, long: str) -> None:
    events = read(tmp_path / "a.csv", f"text\none\n{long}\nthree\n", limits=ReadLimits(text_chars=150_000))
    assert names_and_texts(events) == [("a.csv#row 1", "one"), ("a.csv#row 3", "three")]
    assert problems(events) == ["a.csv#row 2 has more than 150,000 characters; split its text."]


def test_a_line_of_json_that_is_too_long_costs_itself(tmp_path: Path) -> None:
    lines = ['{"text": "one"}', json.dumps({"text": "x" * 2_000_000}), '{"text": "three"}']
    events = read(tmp_path / "a.jsonl", "\n".join(lines), limits=ReadLimits(text_chars=1000))
    assert names_and_texts(events) == [("a.jsonl#row 1", "one"), ("a.jsonl#row 3", "three")]
    assert "row 2 is a line of more than 1,000 characters" in problems(events)[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"2,tw\0o", "NUL"),
        (b"2,tw\xe9o", "encoding of the file"),
        (b"2,\xff\xfe\x00\x01\x02", "encoding of the file"),
        (b'2,"tw\xe9\no"', "encoding of the file"),
    ],
)
def test_damaged_bytes_cost_their_row(tmp_path: Path, bad: bytes, reason: str) -> None:
    content = b"id,text\n1,caf\xc3\xa9\n" + bad + b"\n3,na\xc3\xafve\n4,plain\n"
    events = read(tmp_path / "a.csv", content)
    assert [text for _, text in names_and_texts(events)] == ["café", "naïve", "plain"]
    (message,) = problems(events)
    assert message.startswith("a.csv#row 2 ")
    assert reason in message


def test_damaged_bytes_in_a_column_beside_the_text_cost_nothing(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", b"text,note\none,a\0b\ntwo,caf\xe9\nthree,caf\xc3\xa9\n")
    assert [text for _, text in names_and_texts(events)] == ["one", "two", "three"]
    assert [event.metadata["note"] for event in events if isinstance(event, Source)] == ["a\ufffdb", "caf?", "café"]


def test_a_file_of_utf16_without_a_mark_is_decoded(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        events = read(tmp_path / "a.csv", "id,text\n1,It rained in the Äther.\n".encode(encoding))
        assert [text for _, text in names_and_texts(events)] == ["It rained in the Äther."]


def test_a_damaged_line_of_json_costs_itself(tmp_path: Path) -> None:
    content = b'{"text": "caf\xc3\xa9"}\n{"text": "caf\xe9"}\n{"text": "a\0b"}\n{"text": "four"}\n'
    events = read(tmp_path / "a.jsonl", content)
    assert [text for _, text in names_and_texts(events)] == ["café", "four"]
    assert len(problems(events)) == 2


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;  "])
def test_the_line_by_which_excel_names_the_delimiter_is_no_header(tmp_path: Path, line: str) -> None:
    events = read(tmp_path / "a.csv", f"{line}\r\nid;text\r\n1;one, and; more\r\n2;two, too\r\n")
    assert names_and_texts(events) == [("2", "two, too")]


def test_a_delimiter_that_the_header_would_not_tell_is_named_by_its_line(tmp_path: Path) -> None:
    assert names_and_texts(read(tmp_path / "a.csv", "sep=^\nid^text\n1^one\n")) == [("1", "one")]


def test_spaces_behind_delimiters_hide_no_quotes(tmp_path: Path) -> None:
    assert names_and_texts(read(tmp_path / "a.csv", 'id, "text"\n1, "one, two"\n')) == [("1", "one, two")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,id,text\none,1,two\n"),
        ("a.csv", "text,note , note\none,1,two\n"),
        ("a.tsv", "text\ttext\none\ttwo\n"),
    ],
)
def test_a_column_that_stands_twice_is_refused_by_its_name(tmp_path: Path, name: str, content: str) -> None:
    (problem,) = read(tmp_path / name, content)
    assert isinstance(problem, SourceProblem)
    assert problem.exit_code == 2
    doubled = "note" if "note" in content else "text"
    assert problem.message == f"{name} has 2 columns {doubled!r}; rename all but one."


def test_columns_without_a_name_are_no_doubles(tmp_path: Path) -> None:
    assert names_and_texts(read(tmp_path / "a.csv", ",text,,\n0,one,,\n")) == [("a.csv#row 1", "one")]


def test_a_name_that_stands_twice_in_an_object_costs_its_row(tmp_path: Path) -> None:
    events = read(tmp_path / "a.jsonl", '{"text": "a", "text": "b"}\n{"text": "two"}\n')
    assert names_and_texts(events) == [("a.jsonl#row 2", "two")]
    assert "gives a value to one name twice" in problems(events)[0]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n \n", "is empty"),
        ("a.csv", bytes(range(256)) * 9, "is binary"),
        ("a.csv", 'id,"text\n1,a\n', "a quote opens in it and never closes"),
        ("a.csv", "id,text" * 3_000_000, "a line of more than 20,000,000 characters"),
        ("a.csv", "id,body\n1,a\n", "has no column 'text'; give --text-column one of 'id', 'body'"),
        ("a.jsonl", "", "is empty"),
        ("a.json", "[]", "is empty"),
        ("a.json", '{"text": ', "is not valid JSON"),
        ("a.json", "[" * 100_000, "is not valid JSON"),
        ("a.parquet", b"PAR1 nothing", "is not a readable Parquet file"),
        ("a.parquet", b"", "is not a readable Parquet file"),
    ],
)
def test_a_broken_table_is_a_clear_error(tmp_path: Path, name: str, content: str | bytes, reason: str) -> None:
    (problem,) = read(tmp_path / name, content)
    assert isinstance(problem, SourceProblem)
    assert problem.message.startswith(f"{name} ")
    assert reason in problem.message


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_object_a_line_is_read_whatever_the_name(tmp_path: Path, name: str) -> None:
    events = read(tmp_path / name, '{"text": "one"}\n\n{broken\n{"text": "two"}\n')
    assert names_and_texts(events) == [(f"{name}#row 1", "one"), (f"{name}#row 3", "two")]


def test_a_file_whose_first_lines_are_all_bad_says_why(tmp_path: Path) -> None:
    long_line, bad_line = json.dumps({"text": "x" * 2000}), "{"
    (message,) = problems(read(tmp_path / "a.jsonl", long_line, limits=ReadLimits(text_chars=1000)))
    assert "a.jsonl#row 1 is a line of more than 1,000 characters" in message
    (message,) = problems(read(tmp_path / "a.jsonl", bad_line))
    assert "a.jsonl#row 1 is not valid JSON" in message


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "one"},\n{"text": "two"}]\n',
        '{\n "text": "one"\n}\n{\n "text": "two"\n}',
        '{\n"text": "one"\n} {"text": "two"}',
    ],
)
def test_an_array_and_objects_of_several_lines_are_read_whatever_the_name(
    tmp_path: Path, name: str, content: str
) -> None:
    assert names_and_texts(read(tmp_path / name, content)) == [(f"{name}#row 1", "one"), (f"{name}#row 2", "two")]


@pytest.mark.parametrize("first", ["{", "[", '["one", {"text"'])
def test_a_first_line_that_is_broken_costs_itself(tmp_path: Path, first: str) -> None:
    events = read(tmp_path / "a.jsonl", first + '\n{"text": "two"}\n')
    assert names_and_texts(events) == [("a.jsonl#row 2", "two")]
    assert len(problems(events)) == 1


def test_a_number_of_thousands_of_digits_beside_the_text_costs_nothing(tmp_path: Path) -> None:
    events = read(tmp_path / "a.jsonl", '{"text": "one", "n": %s}\n' % ("9" * 5000))
    assert names_and_texts(events) == [("a.jsonl#row 1", "one")]


def test_the_column_without_a_name_is_neither_id_nor_title(tmp_path: Path) -> None:
    (source,) = read(tmp_path / "a.csv", ",text\n0,The pump stopped.\n")
    assert isinstance(source, Source)
    assert (source.name, source.title) == ("a.csv#row 1", "")


def write_parquet(path: Path, columns: dict[str, list[object]]) -> None:
    parquet.write_table(pa.table(columns), path)


def test_parquet_rows_are_read_with_their_simple_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, {"key": [7, 8], "text": ["one", b"caf\xe9".decode("cp1252")], "vector": [[1.0], [2.0]]})
    note, first, second = read_sources([path], text_column="text", id_column="key")
    assert isinstance(note, SourceNote)
    assert note.message == "a.parquet has columns of nested values, which are left out: 'vector'."
    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (first.name, first.text, second.text) == ("7", "one", "café")
    assert first.metadata == {"file": "a.parquet", "row": "1"}


def test_binary_parquet_columns_are_decoded(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": ["déjà vu à Orléans".encode("cp1252"), None]})
    source, problem = read_sources([tmp_path / "a.parquet"], text_column="text")
    assert isinstance(source, Source)
    assert source.text == "déjà vu à Orléans"
    assert isinstance(problem, SourceProblem)


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": [f"{number}" * 1000 for number in range(1000)]})
    (problem,) = read_sources([tmp_path / "a.parquet"], limits=ReadLimits(unpacked_bytes=100_000))
    assert isinstance(problem, SourceProblem)
    assert "has row groups of 3 MiB, more than the 100,000 bytes allowed" in problem.message


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = ["some words " * 50 + str(number) for number in range(100)]
    parquet.write_table(pa.table({"text": texts}), path, row_group_size=60)
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    events = list(read_sources([path], text_column="text"))
    assert [name for name, _ in names_and_texts(events)] == [f"a.parquet#row {number}" for number in range(61, 101)]
    (message,) = problems(events)
    assert message.startswith("a.parquet#row 1 and the 59 rows after it are in a damaged part of the file")


def test_a_text_that_is_not_utf8_costs_its_row_of_a_parquet_file(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"caf\xe9", b"three"], pa.binary()).view(pa.string())
    notes = pa.array([b"caf\xe9", b"x", None], pa.binary()).view(pa.string())
    parquet.write_table(pa.table({"text": texts, "note": notes}), tmp_path / "a.parquet")
    events = list(read_sources([tmp_path / "a.parquet"], text_column="text"))
    assert names_and_texts(events) == [("a.parquet#row 1", "one"), ("a.parquet#row 3", "three")]
    assert problems(events)[0].startswith("a.parquet#row 2 holds bytes that are not in the encoding")


@pytest.mark.parametrize(
    ("kind", "value", "label"),
    [
        (pa.timestamp("us"), 253402300800000000, "10000-01-01 00:00:00"),
        (pa.timestamp("ns"), 1, "1970-01-01 00:00:00.000000001"),
        (pa.timestamp("s", "UTC"), 0, "1970-01-01 00:00:00Z"),
        (pa.timestamp("ms"), -99999999999999999, None),
        (pa.date32(), 2932897, "10000-01-01"),
        (pa.time64("ns"), 1500000000, "00:00:01.5"),
        (pa.duration("ns"), 2**62, None),
        (pa.decimal128(20, 2), 5, "5.00"),
    ],
)
def test_no_value_beside_the_text_costs_a_row(tmp_path: Path, kind: pa.DataType, value: int, label: str | None) -> None:
    array = pa.array([value], kind) if pa.types.is_decimal(kind) else pa.array([value]).cast(pa.int64())
    if not pa.types.is_decimal(kind):
        array = array.cast(pa.int32()).view(kind) if kind == pa.date32() else array.view(kind)
    parquet.write_table(pa.table({"text": ["one"], "when": array}), tmp_path / "a.parquet")
    (source,) = read_sources([tmp_path / "a.parquet"], text_column="text")
    assert isinstance(source, Source)
    assert label is None or source.metadata["when"] == label


def test_a_time_zone_that_does_not_exist_costs_no_row(tmp_path: Path) -> None:
    times = pa.array([1_700_000_000_000], pa.timestamp("ms", tz="Mars/Olympus"))
    parquet.write_table(pa.table({"text": ["one"], "time": times}), tmp_path / "a.parquet")
    (source,) = read_sources([tmp_path / "a.parquet"], text_column="text")
    assert isinstance(source, Source)
    assert source.metadata["time"] == "1700000000000"


def test_a_parquet_file_of_nested_columns_alone_is_refused_by_their_name(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": [["one", "two"]]}), tmp_path / "a.parquet")
    (problem,) = read_sources([tmp_path / "a.parquet"])
    assert isinstance(problem, SourceProblem)
    assert "nested values alone, such as 'text'" in problem.message


def test_a_double_column_of_a_parquet_file_is_refused(tmp_path: Path) -> None:
    table = pa.table([["one"], ["two"]], names=["text", "text"])
    parquet.write_table(table, tmp_path / "a.parquet")
    (problem,) = read_sources([tmp_path / "a.parquet"])
    assert isinstance(problem, SourceProblem)
    assert problem.message == "a.parquet has 2 columns 'text'; rename all but one."


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_ten_thousand_rows_are_streamed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    texts = [f"document {number} " + "with some words in it " * 100 for number in range(10_000)]
    if suffix == ".parquet":
        parquet.write_table(pa.table({"text": texts}), path, row_group_size=1000)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    else:
        path.write_text("text\n" + "\n".join(texts))
    del texts
    tracemalloc.start()
    try:
        count = sum(isinstance(event, Source) for event in read_sources([path], text_column="text"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 10_000
    # The texts are 22 MB; digests and names of 10,000 rows take some 5 MB.
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "title", ["Report of the utility\n", "Report of the utility,,\n,,\n", '"Report of the utility",,\n\n']
)
def test_a_title_above_the_header_is_left_out_and_said(tmp_path: Path, title: str) -> None:
    (tmp_path / "a.csv").write_text(title + 'Nr,Place,Text\n1,Bergen,"It\nrained."\n2,Oslo,It snowed.\n')
    _, note, *sources = read_sources([tmp_path / "a.csv"])
    assert isinstance(note, SourceNote)
    assert note.message == "a.csv has lines above its header, which are left out: 'Report of the utility'."
    assert [source.text for source in sources if isinstance(source, Source)] == ["It\nrained.", "It snowed."]


@pytest.mark.parametrize("rows", ["text\na, b\nc, d\n", "review\na, b\nc, d, e\n", "review\na, b\n"])
def test_a_single_column_whose_texts_hold_commas_is_no_title(tmp_path: Path, rows: str) -> None:
    (tmp_path / "a.csv").write_text(rows)
    events = list(read_sources([tmp_path / "a.csv"]))
    assert [event for event in events if isinstance(event, Source)] == []
    assert all("cells where the header has 1" in event.message for event in events if isinstance(event, SourceProblem))


@pytest.mark.parametrize(
    ("value", "words"), [([1], "a list"), ({"a": 1}, "an object"), (3, "a number"), (True, "true or")]
)
def test_a_value_that_is_no_text_is_named_with_what_to_do(tmp_path: Path, value: object, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a"}) + "\n" + json.dumps({"text": value}))
    problem = list(read_sources([tmp_path / "a.jsonl"]))[-1]
    assert isinstance(problem, SourceProblem)
    assert f"holds {words}" in problem.message
    assert problem.message.endswith("in column 'text', not a text; give its text, or another column by --text-column.")


def test_a_list_is_never_taken_for_the_text(tmp_path: Path) -> None:
    (tmp_path / "nested.json").write_text('{"articles": [{"body": "It rained."}]}')
    (problem,) = read_sources([tmp_path / "nested.json"])
    assert isinstance(problem, SourceProblem)
    assert "no column that is obviously the text ('articles' holds a list)" in problem.message


def test_a_title_with_empty_cells_is_left_out_above_rows_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Report;;\nNr;Place;Text\n1;Bergen;It rained.\n2;Oslo\n")
    _, note, source, problem = read_sources([tmp_path / "a.csv"])
    assert isinstance(note, SourceNote)
    assert isinstance(source, Source)
    assert source.text == "It rained."
    assert isinstance(problem, SourceProblem)
    assert problem.message == "a.csv#row 2 has no text in column 'Text'; fill it in or leave the row out."
