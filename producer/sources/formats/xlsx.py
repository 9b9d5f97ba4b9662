"""Reader of Excel workbooks (XLSX): the first sheet with cells, a JSON object a row; a note names the other sheets."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from typing import Any

from openpyxl import load_workbook

from producer.errors import UnreadableError
from producer.sources.formats.archive import open_archive
from producer.sources.limits import ReadLimits
from producer.sources.source import Content
from producer.sources.table import check_names, describe_titles
from producer.sources.text import clean_label

SHOWN_SHEETS = 5
# First rows among which the header is looked for.
PEEKED_ROWS = 10


def read_xlsx(data: bytes, limits: ReadLimits) -> Content:
    """Return the rows of a workbook's first sheet as lines of JSON; ``columns`` of the metadata holds their names.

    Raises:
        SourceError: it is corrupted, encrypted, too large or empty, or a column's name stands twice.
    """
    with open_archive(data, limits):
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    filled = [(sheet.title, rows) for sheet in workbook.worksheets if (rows := _find_rows(sheet)) is not None]
    if not filled:
        raise UnreadableError("has no filled sheet; give a table with a header and at least one row")
    (_, rows), *others = filled
    rows, notes = _skip_titles(rows)
    columns = tuple("" if cell is None else " ".join(str(cell).split()) for cell in next(rows))
    check_names(columns)
    lines = (json.dumps(_build_record(columns, row), ensure_ascii=True) for row in rows if any(map(_is_filled, row)))
    text = "\n".join(lines)
    return Content(text, "text", metadata={"columns": json.dumps(columns)}, notes=notes + _describe_sheets(others))


def _skip_titles(rows: Iterator[tuple[object, ...]]) -> tuple[Iterator[tuple[object, ...]], tuple[str, ...]]:
    """Return the rows from the header on, and a note on the titles above it: rows of one cell above two of several."""
    first = list(islice(rows, PEEKED_ROWS))
    wide = [number for number, row in enumerate(first) if sum(map(_is_filled, row)) > 1]
    start = wide[0] if len(wide) > 1 else 0
    titles = [str(cell) for row in first[:start] for cell in row if _is_filled(cell)]
    return chain(first[start:], rows), describe_titles(titles)


def _find_rows(sheet: Any) -> Iterator[tuple[object, ...]] | None:
    """Return the rows of a sheet from the first that is not blank, None if all are blank."""
    # The size that some programs write is wrong.
    sheet.reset_dimensions()
    rows = iter(sheet.iter_rows(values_only=True))
    first = next((row for row in rows if any(map(_is_filled, row))), None)
    return None if first is None else chain([first], rows)


def _is_filled(cell: object) -> bool:
    return cell is not None and bool(str(cell).strip())


def _build_record(columns: tuple[str, ...], row: tuple[object, ...]) -> dict[str, object]:
    return {
        name: _convert_cell(cell) for name, cell in zip(columns, row, strict=False) if name and _is_filled(cell)
    }  # fmt: skip


def _convert_cell(cell: object) -> object:
    """Return a cell as a value of JSON; dates as text, without the time of midnight."""
    if isinstance(cell, datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return cell if isinstance(cell, str | int | float | bool) else str(cell)


def _describe_sheets(others: list[tuple[str, Any]]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(repr(clean_label(name, max_chars=60)) for name, _ in others[:SHOWN_SHEETS])
    more = f" and {len(others) - SHOWN_SHEETS} more" if len(others) > SHOWN_SHEETS else ""
    return (f"has further sheets, which are left out: {names}{more}",)
