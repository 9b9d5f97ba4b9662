"""Pairs to train on are read from whatever submission reads."""

from pathlib import Path

import pytest

from gistmill.cli.training_data import SHOWN_PROBLEMS, make_row_reader
from workers.finetuning.errors import DataUnreadableError


@pytest.mark.parametrize("header", ["article,highlights", "Text;Summary", "document\tabstract"])
def test_columns_of_usual_names_are_found(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n" + "one,two\n".replace(",", next(c for c in header if c in ",;\t")))
    read_rows = make_row_reader(source_column=None, target_column=None)
    assert list(read_rows([tmp_path / "a.csv"])) == [("one", "two")]


def test_a_column_that_was_named_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("article,highlights\none,two\n")
    read_rows = make_row_reader(source_column="text", target_column=None)
    with pytest.raises(DataUnreadableError, match=r"a\.csv has no column 'text'; give --source-column one of"):
        list(read_rows([tmp_path / "a.csv"]))


def test_bad_rows_are_named_up_to_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "a,b,c\n" * (SHOWN_PROBLEMS + 5)
    (tmp_path / "a.csv").write_text(f"text,summary\n{bad}one,two\n")
    read_rows = make_row_reader(source_column=None, target_column=None)
    assert list(read_rows([tmp_path / "a.csv"])) == [("one", "two")]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == SHOWN_PROBLEMS + 1
    assert "a.csv#row 1 has 3 cells where the header has 2" in lines[0]
    assert lines[-1].endswith("a.csv has 5 more such rows.")
