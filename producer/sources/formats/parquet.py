"""Reader of Parquet files in batches; a value that cannot be read costs its own row, a damaged row group its rows.

It runs in the sandbox, since damaged files abort the process: one file at a time is open, and each request gives its
next rows as JSON, a line each.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from producer.errors import LimitError, SourceUsageError, UnreadableError
from producer.sources.limits import format_bytes
from producer.sources.source import Content
from producer.sources.table import Record, check_names
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


# Batches of the file that is open.
_batches: list[Iterator[str]] = []


def read_parquet(request: bytes) -> Content:
    """Open a file, or return its next rows.

    Args:
        request: JSON with the ``path`` of the file and the ``unpacked_bytes`` that a row group may have; nothing asks
            for the next rows.

    Returns:
        ``columns`` and notes of the file, without nested columns; or rows, no text at the end.

    Raises:
        SourceError: the file is corrupted, a name stands twice, or a row group is too large.
    """
    if not request:
        return Content(next(_batches[0], ""), "text")
    wanted = json.loads(request)
    file, content = _open(Path(wanted["path"]), wanted["unpacked_bytes"])
    _batches[:] = [_read_groups(file, tuple(json.loads(content.metadata["columns"])))]
    return content


def _open(path: Path, unpacked_bytes: int) -> tuple[ParquetFile, Content]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"is not a readable Parquet file ({_explain(error)}); write it again") from error
    fields = list(file.schema_arrow)
    check_names(tuple(field.name for field in fields))
    columns = [field.name for field in fields if not pa.types.is_nested(field.type)]
    nested = [clean_label(field.name, max_chars=60) for field in fields if pa.types.is_nested(field.type)]
    if nested and not columns:
        raise SourceUsageError(f"has columns of nested values alone, such as {nested[0]!r}; write its texts as strings")
    _check_row_groups(file, set(columns), unpacked_bytes)
    more = f" and {len(nested) - SHOWN_COLUMNS} more" if len(nested) > SHOWN_COLUMNS else ""
    named = ", ".join(map(repr, nested[:SHOWN_COLUMNS]))
    notes = (f"has columns of nested values, which are left out: {named}{more}",) if nested else ()
    return file, Content("", "text", metadata={"columns": json.dumps(columns)}, notes=notes)


def _check_row_groups(file: ParquetFile, columns: set[str], unpacked_bytes: int) -> None:
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        chunks = [group.column(number) for number in range(group.num_columns)]
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns)
        if unpacked > unpacked_bytes:
            allowed = format_bytes(unpacked_bytes)
            raise LimitError(f"has row groups of {format_bytes(unpacked)}, more than the {allowed} allowed; "
                             "write it with smaller ones")  # fmt: skip


def _read_groups(file: ParquetFile, columns: tuple[str, ...]) -> Iterator[str]:
    """Yield batches of rows; those that a damaged row group has left are a number and a reason."""
    import pyarrow as pa

    with closing(file):
        for index in range(file.metadata.num_row_groups):
            left = file.metadata.row_group(index).num_rows
            try:
                for batch in file.iter_batches(
                    BATCH_ROWS, row_groups=[index], columns=list(columns), use_threads=False
                ):
                    yield "\n".join(json.dumps([record], default=_encode) for record in _read_batch(batch))
                    left -= batch.num_rows
            except (pa.ArrowException, OSError) as error:
                subject = f"and the {left - 1:,} rows after it are" if left > 1 else "is"
                yield json.dumps([left, f"{subject} in a damaged part of the file ({_explain(error)}); write it again"])


def _encode(value: object) -> object:
    """Return what JSON does not know: bytes in base64, in a form of their own; numbers and times as text."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def _explain(error: Exception) -> str:
    """Return the reason of pyarrow, which may have several lines and any bytes of the file, in one line."""
    return clean_label(str(error), max_chars=200)


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
