"""Readers of table files: CSV and TSV, JSONL and Parquet as streams, and JSON files with one array at once."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from producer.errors import LimitError, SourceError, UnreadableError
from producer.sources.decoding import decode_text
from producer.sources.documents import read_bytes
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.table import BrokenTableError, Record, Table, number_records, peek_columns, read_lines

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


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


# Column for records that are plain strings.
STRING_COLUMN = "text"


def open_jsonl(path: Path, limits: ReadLimits) -> Table:
    """Return a file with one JSON object or string per line as a table; blank lines are skipped.

    Raises:
        SourceError: the file is empty or not text.
    """
    return peek_columns(_parse_line(line) for line in read_lines(path, limits) if line.strip())


def open_json(path: Path, limits: ReadLimits) -> Table:
    """Return a JSON array of objects or strings, or a single object, as a table.

    Raises:
        SourceError: the file is empty, too large or not JSON.
    """
    try:
        document = json.loads(decode_text(read_bytes(path, limits)))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is not valid JSON ({error}); name it .jsonl if it has one object a line") from error
    records = document if isinstance(document, list) else [document]
    return peek_columns(_check_record(record) for record in records)


def _parse_line(line: str) -> Record | SourceError:
    try:
        return _check_record(json.loads(line))
    except (ValueError, RecursionError) as error:
        return UnreadableError(f"is not valid JSON ({error}); repair the line")


def _check_record(record: object) -> Record | SourceError:
    if isinstance(record, str):
        return {STRING_COLUMN: record}
    if isinstance(record, dict):
        return record
    return UnreadableError(f"is JSON of type {type(record).__name__}; give one object or one string a document")


# Rows per batch: enough for speed, few enough for rows of a megabyte.
BATCH_ROWS = 64


def open_parquet(path: Path, limits: ReadLimits) -> Table:
    """Return a Parquet file as a table, without nested columns.

    Raises:
        UnreadableError: the file is corrupted.
        LimitError: the unpacked size of a row group is too large.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, pre_buffer=False)
    except pa.ArrowException as error:
        raise UnreadableError(f"is not a readable Parquet file ({error}); write it again") from error
    columns = tuple(field.name for field in file.schema_arrow if not pa.types.is_nested(field.type))
    _check_row_groups(file, set(columns), limits)
    return Table(columns, number_records(_read_batches(file, columns)))


def _check_row_groups(file: ParquetFile, columns: set[str], limits: ReadLimits) -> None:
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        chunks = [group.column(number) for number in range(group.num_columns)]
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns)
        if unpacked > limits.unpacked_bytes:
            allowed = format_bytes(limits.unpacked_bytes)
            raise LimitError(f"has row groups of {format_bytes(unpacked)}, more than the {allowed} allowed; "
                             "write it with smaller ones")  # fmt: skip


def _read_batches(file: ParquetFile, columns: tuple[str, ...]) -> Iterator[Record]:
    import pyarrow as pa

    try:
        with file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise BrokenTableError(str(error)) from error
