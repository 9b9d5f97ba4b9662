"""Streaming reader of CSV and TSV files, with errors for unclosed quotes and surplus cells that csv accepts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.limits import ReadLimits
from producer.sources.table import BrokenTableError, Record, Table, number_records, read_lines

# Candidate delimiters; the one most frequent in the header, outside quotes, is taken.
DELIMITERS = ",;\t|"
QUOTED = re.compile(r'"[^"]*"?')


def open_csv(path: Path, limits: ReadLimits, *, delimiter: str = "") -> Table:
    """Return a CSV file as a table.

    Args:
        path: the file; its first line that is not blank is the header.
        limits: bound the length of a cell.
        delimiter: separator of cells; "" detects it from the header.

    Raises:
        SourceError: the file is empty or not text.
    """
    # The default of 128 KiB is too small for long articles. The setting is global, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), limits.text_chars))
    lines = _UntilEnd(read_lines(path, limits))
    header = next((line for line in lines if line.strip()), None)
    if header is None:
        raise UnreadableError("is empty; give a table with a header and at least one row")
    delimiter = delimiter or max(DELIMITERS, key=QUOTED.sub("", header).count)
    records = csv.reader(chain([header], lines), delimiter=delimiter)
    cells = _check_ends(records, lines)
    columns = tuple(name.strip() for name in next(cells))
    return Table(columns, number_records(_match_columns(cells, columns)))


class _UntilEnd:
    """Iterator over lines that records whether it was read past the end."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.is_exhausted = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self.is_exhausted = True
            raise


def _check_ends(records: Iterator[list[str]], lines: _UntilEnd) -> Iterator[list[str]]:
    """Yield records; a record that reads past the end of the file has an unclosed quote."""
    try:
        for record in records:
            if lines.is_exhausted:
                raise BrokenTableError("a quote opens in it and never closes")
            yield record
    except csv.Error as error:
        raise BrokenTableError(str(error)) from error


def _match_columns(records: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Record | SourceError]:
    """Pair cells with columns; an empty line is no row."""
    for record in records:
        if any(record[len(columns) :]):
            reason = f"has {len(record)} cells where the header has {len(columns)}; put its text in quotes"
            yield UnreadableError(reason)
        elif record:
            yield dict(zip(columns, record, strict=False))
