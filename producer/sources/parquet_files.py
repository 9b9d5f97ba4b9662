"""Reader of Parquet files in batches; a value that cannot be read costs its own row, a damaged row group its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producer.errors import LimitError, SourceUsageError, UnreadableError
from producer.sources.limits import ReadLimits, format_bytes
from producer.sources.table import LostRows, Record, Table, check_names, number_records
from producer.sources.text import clean_label

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# Rows per batch: enough for speed, few enough for rows of a megabyte.
BATCH_ROWS = 64
SHOWN_COLUMNS = 5
# Errors of values that Python cannot hold; pyarrow's are among them, and that of an unknown time zone is a KeyError.
VALUE_ERRORS = (ValueError, TypeError, LookupError, OverflowError, ImportError, NotImplementedError)
# Zeros of a fraction of seconds.
ZEROS = re.compile(r"\.0+(?=Z?\Z)|(?<=\.\d)0+(?=Z?\Z)")


def open_parquet(path: Path, limits: ReadLimits) -> Table:
    """Return a Parquet file as a table, without nested columns, which are named in a note.

    Raises:
        SourceError: the file is corrupted, a name stands twice, or a row group is too large.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"is not a readable Parquet file ({error}); write it again") from error
    fields = list(file.schema_arrow)
    check_names(tuple(field.name for field in fields))
    columns = tuple(field.name for field in fields if not pa.types.is_nested(field.type))
    nested = [clean_label(field.name, max_chars=60) for field in fields if pa.types.is_nested(field.type)]
    if nested and not columns:
        raise SourceUsageError(f"has columns of nested values alone, such as {nested[0]!r}; write its texts as strings")
    _check_row_groups(file, set(columns), limits)
    more = f" and {len(nested) - SHOWN_COLUMNS} more" if len(nested) > SHOWN_COLUMNS else ""
    named = ", ".join(map(repr, nested[:SHOWN_COLUMNS]))
    notes = (f"has columns of nested values, which are left out: {named}{more}",) if nested else ()
    return Table(columns, number_records(_read_groups(file, columns)), notes)


def _check_row_groups(file: ParquetFile, columns: set[str], limits: ReadLimits) -> None:
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        chunks = [group.column(number) for number in range(group.num_columns)]
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns)
        if unpacked > limits.unpacked_bytes:
            allowed = format_bytes(limits.unpacked_bytes)
            raise LimitError(f"has row groups of {format_bytes(unpacked)}, more than the {allowed} allowed; "
                             "write it with smaller ones")  # fmt: skip


def _read_groups(file: ParquetFile, columns: tuple[str, ...]) -> Iterator[Record | LostRows]:
    """Yield the rows of all row groups; those that a damaged one has left are one problem."""
    import pyarrow as pa

    with closing(file):
        for index in range(file.metadata.num_row_groups):
            left = file.metadata.row_group(index).num_rows
            try:
                for batch in file.iter_batches(
                    BATCH_ROWS, row_groups=[index], columns=list(columns), use_threads=False
                ):
                    yield from _read_batch(batch)
                    left -= batch.num_rows
            except (pa.ArrowException, OSError) as error:
                reason = " ".join(str(error).split())
                subject = f"and the {left - 1:,} rows after it are" if left > 1 else "is"
                problem = UnreadableError(f"{subject} in a damaged part of the file ({reason}); write it again")
                yield LostRows(left, problem)


def _read_batch(batch: Any) -> Iterator[Record]:
    columns = [_read_column(batch.column(number)) for number in range(batch.num_columns)]
    names = batch.schema.names
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _read_column(array: Any) -> list[object]:
    """Return the values of a column; dates and times as text, because Python's have fewer years and digits."""
    import pyarrow as pa

    try:
        if pa.types.is_temporal(array.type) and not pa.types.is_duration(array.type):
            return [value and ZEROS.sub("", value) for value in array.cast(pa.string()).to_pylist()]
        values: list[object] = array.to_pylist()
    except VALUE_ERRORS:
        return [_read_value(scalar) for scalar in array]
    return values


def _read_value(scalar: Any) -> object:
    """Return one value; bytes that are not UTF-8 become lone surrogates, numbers of a time stay numbers."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    except VALUE_ERRORS:
        return str(getattr(scalar, "value", None) or "")
