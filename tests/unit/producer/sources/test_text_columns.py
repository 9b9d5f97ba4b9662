"""Columns of tables as texts: the same files as submission reads, with the same tolerance."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from producer.errors import SourceError, SourceUsageError, UnreadableError
from producer.sources.references import ReferencesError, read_references
from producer.sources.source import SourceProblem
from producer.sources.text_columns import TextRow, WantedColumn, read_text_columns
from tests.unit.producer.sources.made_files import make_pdf

ROWS = [{"article": f"Müller ran ferry {number}.", "highlights": f"Ferry {number}."} for number in range(3)]
COLUMNS = (WantedColumn("--source-column", None, ("article", "text")), WantedColumn("--target-column", "highlights"))


def write_csv(delimiter: str = ",", *, head: str = "") -> str:
    lines = [delimiter.join(("article", "highlights"))]
    lines += [f'"{row["article"]}"{delimiter}"{row["highlights"]}"' for row in ROWS]
    return head + "\n".join(lines) + "\n"


def read(path: Path, content: str | bytes) -> list[TextRow | SourceProblem]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_text_columns(path, COLUMNS))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", write_csv()),
        ("a.csv", write_csv(head="\ufeff")),
        ("a.csv", write_csv(";")),
        ("a.csv", write_csv(";", head="sep=;\n")),
        ("a.csv", write_csv(", ")),
        ("a.csv", write_csv().encode("cp1252")),
        ("a.csv", write_csv("\t").encode("utf-16")),
        ("a.tsv", write_csv("\t").replace('"', "")),
        ("a.json", json.dumps(ROWS)),
        ("a.json", "\n".join(map(json.dumps, ROWS))),
        ("a.jsonl", "\ufeff" + "\n".join(map(json.dumps, ROWS))),
        ("a.ndjson", "\n\n".join(map(json.dumps, ROWS))),
    ],
)
def test_every_dialect_gives_the_same_rows(tmp_path: Path, name: str, content: str | bytes) -> None:
    rows = read(tmp_path / name, content)
    assert rows == [TextRow(number, tuple(row.values())) for number, row in enumerate(ROWS, start=1)]


def test_a_parquet_file_gives_the_same_rows(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    rows = list(read_text_columns(tmp_path / "a.parquet", COLUMNS))
    assert [row.texts for row in rows if isinstance(row, TextRow)] == [tuple(row.values()) for row in ROWS]


def test_a_bad_row_is_named_and_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = ['{"article": "a\\u0000", "highlights": "b"}', "{", '{"article": ["a"]}', '{"article": 7}']
    rows = read(path, "\n".join(lines))
    assert [row.message for row in rows if isinstance(row, SourceProblem)] == [
        f"{path}#row 1 holds NUL characters, so it is binary or damaged; give clean text.",
        f"{path}#row 2 is not valid JSON (Expecting property name enclosed in double quotes: "
        "line 2 column 1 (char 2)); repair the line.",
        f"{path}#row 3 holds a list in column 'article', not a text; convert it to text.",
    ]
    assert rows[3] == TextRow(4, ("7", ""))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.csv", "text,better\na,b\n", SourceUsageError, "give --target-column one of"),
        ("a.csv", "one,two\na,b\n", SourceUsageError, "has no column 'article'; give --source-column one of"),
        ("a.csv", "article,article\na,b\n", SourceUsageError, "has 2 columns 'article'"),
        ("a.csv", "article,highlights\n", UnreadableError, "is empty"),
        ("a.txt", "text", SourceUsageError, "is no table; give one of CSV"),
        ("a.parquet", "text", UnreadableError, "is not a readable Parquet file"),
        ("a.json", "{", UnreadableError, "is not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(
    tmp_path: Path, name: str, content: str, error: type[SourceError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path / name, content)


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.parquet"])
def test_a_missing_file_is_named_as_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceUsageError, match="does not exist"):
        list(read_text_columns(tmp_path / name, COLUMNS))


def test_a_column_is_found_whether_its_letters_are_composed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("re\u0301sume\u0301,other\nOne.,x\n")
    (row,) = read_text_columns(tmp_path / "a.csv", [WantedColumn("--source-column", "r\u00e9sum\u00e9")])
    assert row == TextRow(1, ("One.",))


def test_references_name_bad_rows_and_keep_the_others(tmp_path: Path) -> None:
    path, problems = tmp_path / "good.csv", list[SourceProblem]()
    path.write_bytes(b"name,good\na,caf\xc3\xa9\nb,caf\xe9\nc,three\n")
    references = read_references(path, id_column="name", reference_column="good", report=problems.append)
    assert references == {"a": "café", "c": "three"}
    assert [problem.name for problem in problems] == [f"{path}#row 2"]


def test_references_for_one_document_must_agree(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("name,good\na,b\na,c\n")
    with pytest.raises(ReferencesError, match="has two references for 'a'"):
        read_references(tmp_path / "good.csv", id_column="name", reference_column="good", report=lambda _: None)


def test_a_document_that_is_named_as_a_table_is_refused_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(make_pdf("It rained."))
    with pytest.raises(UnreadableError, match="is no table but a file of kind PDF; give a table"):
        next(read_text_columns(tmp_path / "a.csv", [WantedColumn("", "text")]))
