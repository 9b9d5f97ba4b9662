"""Tables as streams: columns, and rows read one at a time, so that a file of any size takes constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.decoding import find_encoding
from producer.sources.limits import ReadLimits

# Leading records that determine the columns of a JSON table; records may lack fields.
PEEKED_RECORDS = 100

Record = dict[str, object]


class BrokenTableError(Exception):
    """A table is broken at a row, so that the rest cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, from 1 without the header, and its values or the problem with it."""

    number: int
    values: Record
    problem: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file and a lazy iterator over its rows."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def peek_columns(records: Iterator[Record | SourceError]) -> Table:
    """Return a table whose columns are the field names of its first records.

    Raises:
        UnreadableError: there is no record.
    """
    rows = number_records(records)
    first = list(islice(rows, PEEKED_RECORDS))
    if not first:
        raise UnreadableError("is empty; give at least one JSON object")
    columns = dict.fromkeys(name for row in first for name in row.values)
    return Table(tuple(columns), chain(first, rows))


def number_records(records: Iterator[Record | SourceError]) -> Iterator[Row]:
    """Number records from 1; an error of the reader becomes a last row with the problem."""
    number = 0
    try:
        for number, record in enumerate(records, start=1):
            yield Row(number, {}, record) if isinstance(record, SourceError) else Row(number, record)
    except (BrokenTableError, OSError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        message = f"cannot be read ({reason}), so this row and all after it are missing; repair the file"
        yield Row(number + 1, {}, UnreadableError(message))


def read_lines(path: Path, limits: ReadLimits) -> Iterator[str]:
    """Yield lines with their line ends; the limit of a document's length holds for a line.

    Raises:
        BrokenTableError: a line is too long.
        SourceError: the file is not text.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        encoding = find_encoding(stream)
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as lines:
        while line := lines.readline(limits.text_chars + 1):
            if len(line) > limits.text_chars:
                raise BrokenTableError(f"a line of more than {limits.text_chars:,} characters")
            yield line
