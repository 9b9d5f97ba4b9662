"""Opening of a table file of any kind; the one reader of tables for submission, references, examples and training."""

from __future__ import annotations

import json
from pathlib import Path

from producer.errors import UnreadableError
from producer.sources.csv_files import open_csv
from producer.sources.documents import read_bytes
from producer.sources.json_files import open_json, open_jsonl, parse_lines
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.parquet_files import open_parquet
from producer.sources.sandbox import Sandbox
from producer.sources.sniffing import correct_kind
from producer.sources.table import BrokenTableError, Table, number_records


def open_table(path: Path, kind: FileKind, limits: ReadLimits, sandbox: Sandbox) -> Table:
    """Return a file as a table.

    Raises:
        SourceError: it is not a readable table of its kind, or a column's name stands twice.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        found = correct_kind(kind, stream)
    if found is None or not found.is_table:
        raise UnreadableError(f"is no table but a file of kind {found}; give a table")
    try:
        match found:
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
            case FileKind.XLSX:
                return _open_xlsx(path, limits, sandbox)
    except (BrokenTableError, UnicodeError) as error:
        raise UnreadableError(f"cannot be read from its first row on ({error}); repair the file") from error
    raise AssertionError(f"{found} is no table")


def _open_xlsx(path: Path, limits: ReadLimits, sandbox: Sandbox) -> Table:
    """Return the first sheet of a workbook, which the sandbox converts to a JSON object a line."""
    content = sandbox.convert(FileKind.XLSX, read_bytes(path, limits))
    columns = tuple(json.loads(content.metadata["columns"]))
    return Table(columns, number_records(parse_lines(iter(content.text.split("\n")), limits)), content.notes)
