"""Readers of JSONL files, line by line, and of JSON files with one array, at once."""

from __future__ import annotations

import json
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.decoding import decode_text
from producer.sources.documents import read_bytes
from producer.sources.limits import ReadLimits
from producer.sources.table import Record, Table, peek_columns, read_lines

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
