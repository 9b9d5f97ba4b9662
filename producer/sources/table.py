"""A table as a stream: its columns and its rows, one at a time, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.decoding import find_encoding
from producer.sources.limits import ReadLimits

# Records of JSON may leave fields out: the columns are those of the first so many records.
PEEKED_RECORDS = 100

Record = dict[str, object]


class BrokenTableError(Exception):
    """The reader of a table lost its place, so nothing after this row can be trusted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, counted from 1 without the header, and its values or what is wrong with it."""

    number: int
    values: Record
    problem: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file and its rows, read as they are consumed."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def peek_columns(records: Iterator[Record | SourceError]) -> Table:
    """Return a table whose columns are the names that its first records use.

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
    """Count rows from 1; a reader that breaks off becomes a last row which says that the rest was not read."""
    number = 0
    try:
        for number, record in enumerate(records, start=1):
            yield Row(number, {}, record) if isinstance(record, SourceError) else Row(number, record)
    except (BrokenTableError, OSError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        message = f"cannot be read ({reason}), so this row and all after it are missing; repair the file"
        yield Row(number + 1, {}, UnreadableError(message))


def read_lines(path: Path, limits: ReadLimits) -> Iterator[str]:
    """Yield lines with their ends; one line may not be longer than one document may be.

    Raises:
        BrokenTableError: a line is too long.
        SourceError: the file is not text.
        OSError: the system does not let us read it.
    """
    with path.open("rb") as stream:
        encoding = find_encoding(stream)
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as lines:
        while line := lines.readline(limits.text_chars + 1):
            if len(line) > limits.text_chars:
                raise BrokenTableError(f"a line of more than {limits.text_chars:,} characters")
            yield line
