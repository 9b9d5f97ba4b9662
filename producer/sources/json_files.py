"""Readers of JSON files of records: one object or string a line, or one array of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.documents import read_bytes
from producer.sources.limits import ReadLimits
from producer.sources.table import Record, Table, peek_columns
from producer.sources.table_lines import LongLine, find_line_encoding, read_lines

# Column for records that are plain strings.
STRING_COLUMN = "text"
# Bytes that are enough to see how a file begins.
HEAD_BYTES = 4096


def open_jsonl(path: Path, limits: ReadLimits) -> Table:
    """Return a file with one JSON object or string per line as a table; blank lines are skipped.

    Raises:
        SourceError: the file is empty or not text.
    """
    return peek_columns(parse_lines(read_lines(path, limits), limits))


def open_json(path: Path, limits: ReadLimits) -> Table:
    """Return a JSON array of objects or strings, a single object, or one object a line, as a table.

    Raises:
        SourceError: the file is empty, too large or not JSON.
    """
    data = read_bytes(path, limits)
    with path.open("rb") as stream:
        encoding = find_line_encoding(stream)
    text = data.decode(encoding, "surrogateescape").removeprefix("\ufeff")
    try:
        document = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and _is_object(lines[0]):
            return open_jsonl(path, limits)
        raise UnreadableError(f"is not valid JSON ({error}); repair it") from error
    records = document if isinstance(document, list) else [document]
    return peek_columns(_check_record(record) for record in records)


def parse_lines(lines: Iterator[str], limits: ReadLimits) -> Iterator[Record | SourceError]:
    """Yield the record of each line, or the problem with it."""
    for line in lines:
        if isinstance(line, LongLine):
            yield UnreadableError(f"is a line of more than {limits.text_chars:,} characters; split its text")
        elif line.strip():
            yield _parse_line(line)


def _is_object(line: str) -> bool:
    return isinstance(_parse_line(line), dict)


def _parse_line(line: str) -> Record | SourceError:
    try:
        return _check_record(_DECODER.decode(line))
    except (ValueError, RecursionError) as error:
        return UnreadableError(f"is not valid JSON ({error}); repair the line")


class _DoubleName(dict[str, object]):
    """An object in which a name stands twice."""


def _build_record(pairs: list[tuple[str, object]]) -> Record:
    record = dict(pairs)
    return record if len(record) == len(pairs) else _DoubleName(record)


# To make one takes as long as to read a line with it.
_DECODER = json.JSONDecoder(object_pairs_hook=_build_record)


def _check_record(record: object) -> Record | SourceError:
    if isinstance(record, str):
        return {STRING_COLUMN: record}
    if isinstance(record, _DoubleName):
        return UnreadableError("gives a value to one name twice; rename one of them")
    if isinstance(record, dict):
        return record
    return UnreadableError(f"is JSON of type {type(record).__name__}; give one object or one string a document")
