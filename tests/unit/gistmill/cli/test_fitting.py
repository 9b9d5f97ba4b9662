from __future__ import annotations

import click
import pytest
from rich.cells import cell_len

from gistmill.cli import results, status
from gistmill.cli.fitting import FittedTable, fit_table, pad_cell, wrap_styled

LONG = "a-rather-long-name-of-a-report-about-the-council.md"
SUMMARY = "The council closed both bridges on Monday, and repairs will cost more than last year."


def list_lines(table: FittedTable) -> list[str]:
    rows = (table.columns, *table.rows)
    return ["  ".join(map(pad_cell, row, table.widths)) for row in rows]


def fit(columns: tuple[str, ...], row: tuple[str, ...], width: int, **options: object) -> FittedTable:
    return fit_table(columns, [row], width=width, **{"flexible": {}, "droppable": (), **options})  # type: ignore[arg-type]


def test_a_table_that_fits_is_whole() -> None:
    fitted = fit(("name", "jobs"), ("a long name", "1"), 20)

    assert (fitted.rows, fitted.widths, fitted.hidden) == ((("a long name", "1"),), (11, 4), ())


def test_columns_that_tell_nothing_give_way_before_all_others() -> None:
    columns = ("batch", "partial", "failed")

    assert fit(columns, ("nightly", "3", "0"), 18, droppable=("partial", "failed")).hidden == ("failed",)
    assert fit(columns, ("nightly", "3", "1"), 18, droppable=("partial", "failed")).hidden == ("partial",)


def test_long_texts_are_cut_and_share_what_is_left() -> None:
    fitted = fit(("source", "state", "summary"), (LONG, "failed", SUMMARY), 60, flexible={"source": 10, "summary": 10})

    assert fitted.width == 60
    assert abs(fitted.widths[0] - fitted.widths[2]) <= 1
    assert (fitted.rows[0][0][-1], fitted.rows[0][2][-1], fitted.rows[0][1]) == ("…", "…", "failed")


def test_a_wide_character_takes_two_places() -> None:
    fitted = fit(("source",), ("議会は橋を閉鎖した",), 9, flexible={"source": 4})

    assert fitted.rows == (("議会は橋…",),)
    assert cell_len(fitted.rows[0][0]) == 9


def test_two_columns_of_one_name_are_two() -> None:
    assert fit(("id", "id"), ("1", "a longer one"), 40).widths == (2, 12)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_list_of_batches_fits(width: int) -> None:
    row = (
        "articles-about-the-council-3f9a1c2e",
        "2026-11-29 14:17:16",
        "3000",
        "12",
        "2900",
        "80",
        "7",
        "1",
        "9",
        "9/9",
    )
    fitted = fit(status.BATCH_COLUMNS, row, width, flexible=status.FLEXIBLE, droppable=status.DROPPABLE)

    assert max(map(cell_len, list_lines(fitted))) <= width
    assert {"batch", "jobs", "open", "succeeded", "failed"} <= {*fitted.columns}


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_list_of_summaries_fits(width: int) -> None:
    made = ("map-reduce", "default: gemma-3-270m, adapter posts, int8 (1a2b3c4d)", "3 min 20 s")
    row = ("nightly-reports", "3f9a1c2e", LONG, "succeeded", *made, "0.812", "6", "1", "2", "needs review", SUMMARY)
    fitted = fit(results.COLUMNS, row, width, flexible=results.FLEXIBLE, droppable=results.DROPPABLE)

    assert max(map(cell_len, list_lines(fitted))) <= width
    assert {"job", "source", "state", "review", "summary"} <= {*fitted.columns}


def test_a_line_is_broken_between_words_and_its_styles_take_no_space() -> None:
    line = f"  3f9a1c2e  {click.style('failed', fg='red')}  the engine does not answer at its address"

    lines = wrap_styled(line, 40, indent=4)

    assert [click.unstyle(one) for one in lines] == [
        "  3f9a1c2e  failed  the engine does not",
        "    answer at its address",
    ]
