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
    content = 'id,text\nx1,"one, and\ntwo"\n,three\n'
    assert names_and_texts(read(tmp_path / "a.csv", content)) == [
        ("a.csv#row 1", "one, and\ntwo"),
        ("a.csv#row 2", "three"),
    ]
    assert names_and_texts(read(tmp_path / "a.csv", content, id_column="id")) == [
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
    (tmp_path / "a.csv").write_text("id,article\n1,one\n")
    note, source = read_sources([tmp_path / "a.csv"])
    assert isinstance(note, SourceNote)
    assert note.message == "a.csv: the text is taken from column 'article' (change it by --text-column)."
    assert isinstance(source, Source)


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
    assert names_and_texts(events) == [("a.csv#row 4", "good")]
    assert problems(events) == [
        "a.csv#row 1 has no text in column 'text'; fill it in or leave the row out.",
        "a.csv#row 2 has 3 cells where the header has 2; put its text in quotes.",
        "a.csv#row 3 has no text in column 'text'; fill it in or leave the row out.",
    ]


def test_bad_json_lines_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = ["nope", "[1]", '{"text": 5}', '{"text": null}', '{"text": "a\\u0000"}', "[" * 100_000, '{"text": "good"}']
    events = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert names_and_texts(events) == [("a.jsonl#row 7", "good")]
    reasons = ("not valid JSON", "type list", "type int", "no text", "NUL characters", "not valid JSON")
    for message, reason in zip(problems(events), reasons, strict=True):
        assert reason in message


def test_a_quote_that_never_closes_is_noticed(tmp_path: Path) -> None:
    events = read(tmp_path / "a.csv", 'text\none\n"two\nthree\nfour\n')
    assert names_and_texts(events) == [("a.csv#row 1", "one")]
    assert problems(events) == [
        "a.csv#row 2 cannot be read (a quote opens in it and never closes), so this row and all after it are "
        "missing; repair the file."
    ]


@pytest.mark.parametrize("content", ["text\none\n" + "x" * 200_000, 'text\none\n"' + "x\n" * 150_000 + '"\n'])
def test_a_cell_that_is_too_long_ends_the_file_with_a_problem(tmp_path: Path, content: str) -> None:
    events = read(tmp_path / "a.csv", content, limits=ReadLimits(text_chars=150_000))
    assert names_and_texts(events) == [("a.csv#row 1", "one")]
    (message,) = problems(events)
    assert "a.csv#row 2" in message


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n \n", "is empty"),
        ("a.csv", b"text\na\0b\n", "is binary"),
        ("a.csv", 'id,"text\n1,a\n', "a quote opens in it and never closes"),
        ("a.csv", "id,text" * 3_000_000, "a line of more than 20,000,000 characters"),
        ("a.csv", "id,body\n1,a\n", "has no column 'text'; give --text-column one of 'id', 'body'"),
        ("a.jsonl", "", "is empty"),
        ("a.json", "[]", "is empty"),
        ("a.json", '{"text": ', "is not valid JSON"),
        ("a.json", '{"text": "a"}\n{"text": "b"}', "name it .jsonl if it has one object a line"),
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


def test_a_file_whose_first_lines_are_all_bad_says_why(tmp_path: Path) -> None:
    long_line, bad_line = json.dumps({"text": "x" * 2000}), "{"
    (message,) = problems(read(tmp_path / "a.jsonl", long_line, limits=ReadLimits(text_chars=1000)))
    assert "a.jsonl#row 1 cannot be read (a line of more than 1,000 characters)" in message
    (message,) = problems(read(tmp_path / "a.jsonl", bad_line))
    assert "a.jsonl#row 1 is not valid JSON" in message


def write_parquet(path: Path, columns: dict[str, list[object]]) -> None:
    parquet.write_table(pa.table(columns), path)


def test_parquet_rows_are_read_with_their_simple_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, {"key": [7, 8], "text": ["one", b"caf\xe9".decode("cp1252")], "vector": [[1.0], [2.0]]})
    first, second = read_sources([path], text_column="text", id_column="key")
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


def test_a_damaged_parquet_page_ends_the_file_with_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, {"text": ["some words " * 50 + str(number) for number in range(100)]})
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    (problem,) = read_sources([path], text_column="text")
    assert isinstance(problem, SourceProblem)
    assert "this row and all after it are missing" in problem.message


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
