"""XLSX: the rows of the first sheet are documents, as those of a CSV file are."""

from datetime import date, datetime
from pathlib import Path

import pytest

from producer.errors import SourceError
from producer.sources import ReadLimits, Source, SourceNote, SourceProblem, read_sources
from producer.sources.formats.xlsx import read_xlsx
from producer.sources.text_columns import WantedColumn, read_text_columns
from tests.unit.producer.sources.made_files import BILLION_LAUGHS, make_xlsx, make_zip

ROWS: list[list[object]] = [
    [None, None],
    ["id", "text", "when", "price"],
    [1, "One,\n“two”.", date(2024, 5, 1), 2.5],
    [None, None],
    [2, "Three.", datetime(2024, 5, 1, 10, 30), None],
]


def test_rows_are_documents_with_their_other_columns(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(make_xlsx([], ROWS, [["other"], ["x"]], []))
    guess, others, first, second = read_sources([tmp_path / "a.xlsx"], id_column="id")
    assert isinstance(guess, SourceNote)
    assert isinstance(others, SourceNote)
    assert others.message == "a.xlsx has further sheets, which are left out: 'Sheet2'."
    assert isinstance(first, Source)
    assert isinstance(second, Source)
    assert (first.name, first.text) == ("1", "One,\n“two”.")
    assert first.metadata == {"file": "a.xlsx", "row": "1", "when": "2024-05-01", "price": "2.5"}
    assert second.metadata["when"] == "2024-05-01 10:30:00"


def test_titles_above_the_header_are_left_out_with_a_note() -> None:
    content = read_xlsx(make_xlsx([["Report of the harbour"], [None], *ROWS[1:]]), ReadLimits())
    assert content.text.count("\n") == 1
    assert content.notes == ("has lines above its header, which are left out: 'Report of the harbour'",)


def test_a_note_beside_a_single_column_makes_no_other_header() -> None:
    content = read_xlsx(make_xlsx([["text"], ["One."], ["Two.", "a note"], ["Three."]]), ReadLimits())
    assert content.metadata == {"columns": '["text"]'}
    assert content.notes == ()


def test_a_row_without_a_text_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(make_xlsx([["id", "text"], [1, None], [2, "Two."]]))
    *_, problem, source = read_sources([tmp_path / "a.xlsx"], text_column="text")
    assert isinstance(problem, SourceProblem)
    assert "a.xlsx#row 1 has no text" in problem.message
    assert isinstance(source, Source)


def test_pairs_and_references_are_read_from_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(make_xlsx(ROWS))
    rows = read_text_columns(tmp_path / "a.xlsx", [WantedColumn("", "id"), WantedColumn("", "text")])
    assert [getattr(row, "texts", row) for row in rows] == [("1", "One,\n“two”."), ("2", "Three.")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_xlsx([["text", "text "], ["a", "b"]]), "has 2 columns 'text'"),
        (make_xlsx([], []), "has no filled sheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "is encrypted"),
        (make_zip({"xl/workbook.xml": BILLION_LAUGHS}), "declares XML entities"),
    ],
)
def test_a_workbook_that_cannot_be_used_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_xlsx(data, ReadLimits())


def test_a_broken_workbook_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 nothing")
    (problem,) = read_sources([tmp_path / "a.xlsx"])
    assert isinstance(problem, SourceProblem)
    assert "is a damaged zip archive" in problem.message
