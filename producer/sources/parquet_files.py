"""Parquet files as tables; a process of its own reads each, because damaged files abort the one that reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.kinds import FileKind
from producer.sources.limits import ReadLimits
from producer.sources.sandbox import Sandbox
from producer.sources.table import BrokenTableError, LostRows, Record, Table, number_records

# Request for the next rows of the file that is open.
NEXT = b""


def open_parquet(path: Path, limits: ReadLimits) -> Table:
    """Return a Parquet file as a table, without nested columns, which are named in a note.

    Raises:
        SourceError: the file is corrupted, a name stands twice, or a row group is too large.
    """
    sandbox = Sandbox(limits)
    request = {"path": str(path.absolute()), "unpacked_bytes": limits.unpacked_bytes}
    try:
        content = sandbox.convert(FileKind.PARQUET, json.dumps(request).encode())
    except SourceError:
        sandbox.close()
        raise
    columns = tuple(json.loads(content.metadata["columns"]))
    return Table(columns, number_records(_read_records(sandbox)), content.notes)


def _read_records(sandbox: Sandbox) -> Iterator[Record | LostRows]:
    with sandbox:
        while rows := _read_rows(sandbox):
            for line in rows.split("\n"):
                record, *reason = json.loads(line)
                yield LostRows(record, UnreadableError(*reason)) if reason else _decode(record)


def _read_rows(sandbox: Sandbox) -> str:
    try:
        return sandbox.convert(FileKind.PARQUET, NEXT).text
    except SourceError as error:
        raise BrokenTableError(str(error)) from error


def _decode(record: Record) -> Record:
    return {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) else value for name, value in record.items()
    }
