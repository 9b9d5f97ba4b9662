"""Streaming reader of Parquet files by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from producer.errors import LimitError, UnreadableError
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.table import BrokenTableError, Record, Table, number_records

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

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
