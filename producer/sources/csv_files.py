"""Reader of CSV and TSV files as streams of rows; a row that is broken costs itself and no other."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.csv_titles import PEEKED_LINES, find_delimiter, skip_titles
from producer.sources.limits import ReadLimits
from producer.sources.table import BrokenTableError, Record, Table, check_names, describe_titles, number_records
from producer.sources.table_lines import LongLine, read_lines

# Line by which Excel names the delimiter, before the header.
DELIMITER_LINE = re.compile(r'\A"?sep=(.)"?\s*\Z', re.I | re.S)
OPEN_QUOTE = "a quote opens in it and never closes"
# Characters that are read again after broken rows, in limits of a document's length.
MAX_READ_AGAIN = 5


def open_csv(path: Path, limits: ReadLimits, *, delimiter: str = "") -> Table:
    """Return a CSV file as a table.

    Args:
        path: the file; its first line that is not blank, and not Excel's "sep=;", is the header.
        limits: bound the length of a row.
        delimiter: separator of cells; "" detects it from the header.

    Raises:
        SourceError: the file is empty or not text, or a column's name stands twice.
    """
    # The default of 128 KiB is too small for long articles. The setting is global, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), limits.text_chars))
    lines = read_lines(path, limits)
    header = _find_header(lines, limits)
    if named := DELIMITER_LINE.match(header):
        delimiter = named[1]
        header = _find_header(lines, limits)
    titles, first = skip_titles([header, *islice(lines, PEEKED_LINES)], delimiter)
    header = first[0]
    delimiter = delimiter or find_delimiter(header)
    records = _RecordReader(lines, limits, delimiter=delimiter)
    records.push_back(first)
    columns = tuple(name.strip() for name in records.read_header())
    check_names(columns)
    return Table(columns, number_records(records.read_rows(columns)), describe_titles(titles))


def _find_header(lines: Iterator[str], limits: ReadLimits) -> str:
    header = next((line for line in lines if line.strip() or isinstance(line, LongLine)), None)
    if header is None:
        raise UnreadableError("is empty; give a table with a header and at least one row")
    if isinstance(header, LongLine):
        raise BrokenTableError(f"a line of more than {limits.text_chars:,} characters")
    return header


class _RecordReader:
    """Reader of records that knows the lines of the current one, to go on behind the first of them.

    Args:
        lines: lines of the file.
        limits: bound the length of a record.
        delimiter: separator of cells.
    """

    def __init__(self, lines: Iterator[str], limits: ReadLimits, *, delimiter: str) -> None:
        self._lines = lines
        self._max_chars = limits.text_chars
        self._delimiter = delimiter
        self._pending: deque[str] = deque()
        self._taken: list[str] = []
        self._taken_chars = 0
        self._read_again = 0
        self._is_cut = self._is_long = self._is_loose = False

    def push_back(self, lines: list[str]) -> None:
        """Read these lines before the others."""
        self._pending.extendleft(reversed(lines))

    def read_header(self) -> list[str]:
        """Return the cells of the header.

        Raises:
            BrokenTableError: it is too long, or a quote in it never closes.
        """
        header = next(self._read_records(), [])
        if self._is_long:
            raise BrokenTableError(f"a line of more than {self._max_chars:,} characters")
        if self._is_cut:
            raise BrokenTableError(OPEN_QUOTE)
        return header

    def read_rows(self, columns: tuple[str, ...]) -> Iterator[Record | SourceError]:
        """Yield the cells of each row by column, or the problem with it; an empty line is no row."""
        records = self._read_records()
        while (record := next(records, None)) is not None:
            if self._is_loose and len(self._taken) == 1 and not self._is_cut:
                record = self._parse_loosely()
                self._is_loose = False
            has_more = any(record[len(columns) :])
            if self._is_long:
                self._skip_record()
                yield UnreadableError(f"has more than {self._max_chars:,} characters; split its text")
            elif self._is_cut:
                yield UnreadableError(f"is broken: {OPEN_QUOTE}; close it")
                self._go_back()
            elif self._is_loose:
                yield UnreadableError("is broken: a text goes on behind a quote that closes; double the quotes in it")
                self._go_back()
            elif has_more:
                reason = f"has {len(record)} cells where the header has {len(columns)}; put its text in quotes"
                yield UnreadableError(reason)
                if len(self._taken) > 1:
                    # A quote too many has joined rows.
                    self._go_back()
            elif record:
                yield dict(zip(columns, record, strict=False))
                continue
            else:
                continue
            records = self._read_records()

    def _read_records(self) -> Iterator[list[str]]:
        """Yield records; the attributes tell how the last one ended."""
        # Spaces after a delimiter would hide the quote behind them.
        records = csv.reader(self._take_lines(), delimiter=self._delimiter, skipinitialspace=True, strict=True)
        while True:
            self._taken, self._taken_chars = [], 0
            try:
                record = next(records, None)
            except csv.Error:
                record, self._is_loose = [], True
            if record is None and not self._taken:
                return
            yield record or []

    def _take_lines(self) -> Iterator[str]:
        """Yield lines for the parser, until the current record is too long."""
        self._is_cut = self._is_long = self._is_loose = False
        while True:
            line = self._pending.popleft() if self._pending else next(self._lines, None)
            if line is None:
                self._is_cut = bool(self._taken)
                return
            self._taken.append(line)
            self._taken_chars += len(line)
            if isinstance(line, LongLine) or self._taken_chars > self._max_chars:
                self._is_long = True
                return
            yield line

    def _parse_loosely(self) -> list[str]:
        """Return the cells of a line in which a text goes on behind a quote that closes."""
        return next(csv.reader(self._taken, delimiter=self._delimiter, skipinitialspace=True))

    def _skip_record(self) -> None:
        """Read to the end of a record that is too long: to the line after which all quotes are closed."""
        is_open = sum(line.count('"') for line in self._taken) % 2
        while is_open:
            line = self._pending.popleft() if self._pending else next(self._lines, None)
            if line is None:
                raise BrokenTableError(OPEN_QUOTE)
            is_open ^= line.count('"') % 2

    def _go_back(self) -> None:
        """Go on with the second line of a broken record."""
        self._read_again += self._taken_chars
        if self._read_again > MAX_READ_AGAIN * self._max_chars:
            raise BrokenTableError("too many quotes that never close")
        self.push_back(self._taken[1:])
