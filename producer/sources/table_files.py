"""Opening of a table file of any kind; the one reader of tables for submission, references, examples and training."""

from __future__ import annotations

from pathlib import Path

from producer.errors import UnreadableError
from producer.sources.csv_files import open_csv
from producer.sources.json_files import open_json, open_jsonl
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.parquet_files import open_parquet
from producer.sources.table import BrokenTableError, Table


def open_table(path: Path, kind: FileKind, limits: ReadLimits) -> Table:
    """Return a file as a table.

    Raises:
        SourceError: it is not a readable table of its kind, or a column's name stands twice.
        OSError: the file cannot be read.
    """
    try:
        match kind:
            case FileKind.CSV:
                return open_csv(path, limits)
            case FileKind.TSV:
                return open_csv(path, limits, delimiter="\t")
            case FileKind.JSONL:
                return open_jsonl(path, limits)
            case FileKind.JSON:
                return open_json(path, limits)
            case FileKind.PARQUET:
                return open_parquet(path, limits)
    except (BrokenTableError, UnicodeError) as error:
        raise UnreadableError(f"cannot be read from its first row on ({error}); repair the file") from error
    raise AssertionError(f"{kind} is no table")
