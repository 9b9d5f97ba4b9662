"""Readers of JSON files of records: one object or string a line, one array of them, or one value after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from producer.errors import SourceError, UnreadableError
from producer.sources.documents import read_bytes
from producer.sources.limits import ReadLimits
from producer.sources.table import Record, Table, describe_value, peek_columns
from producer.sources.table_lines import LongLine, find_line_encoding, read_lines

# Column for records that are plain strings.
STRING_COLUMN = "text"
# Digits of an integer; Python refuses to read longer ones.
MAX_DIGITS = 4000
VISIBLE = re.compile(r"\S")


def open_jsonl(path: Path, limits: ReadLimits) -> Table:
    """Return a file with one JSON object or string per line as a table; blank lines are skipped.

    A file whose first line opens an array, or an object that goes on, is read as JSON.

    Raises:
        SourceError: the file is empty or not text.
    """
    lines = read_lines(path, limits)
    first = next((line for line in lines if line.strip() or isinstance(line, LongLine)), "")
    if first.lstrip().startswith("[") or first.strip() == "{":
        with suppress(SourceError):
            return open_json(path, limits)
    return peek_columns(parse_lines(chain([first], lines), limits))


def open_json(path: Path, limits: ReadLimits) -> Table:
    """Return a JSON array of objects or strings, or objects one after the other, as a table.

    Raises:
        SourceError: the file is empty, too large or not JSON.
    """
    data = read_bytes(path, limits)
    with path.open("rb") as stream:
        encoding = find_line_encoding(stream)
    text = data.decode(encoding, "surrogateescape").removeprefix("\ufeff")
    try:
        values = list(_parse_values(text))
    except (ValueError, RecursionError) as error:
        if _is_object(text.lstrip().partition("\n")[0]):
            return peek_columns(parse_lines(read_lines(path, limits), limits))
        raise UnreadableError(f"is not valid JSON ({error}); repair it") from error
    records = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return peek_columns(_check_record(record) for record in records)


def _parse_values(text: str) -> Iterator[object]:
    """Yield the values that stand one after the other."""
    place = 0
    while found := VISIBLE.search(text, place):
        value, place = _DECODER.raw_decode(text, found.start())
        yield value


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


def _read_integer(digits: str) -> int | str:
    """Return a number; one of more digits than Python allows stays text."""
    return int(digits) if len(digits) <= MAX_DIGITS else digits


# To make one takes as long as to read a line with it.
_DECODER = json.JSONDecoder(object_pairs_hook=_build_record, parse_int=_read_integer)


def _check_record(record: object) -> Record | SourceError:
    if isinstance(record, str):
        return {STRING_COLUMN: record}
    if isinstance(record, _DoubleName):
        return UnreadableError("gives a value to one name twice; rename one of them")
    if isinstance(record, dict):
        return record
    return UnreadableError(f"is {describe_value(record)}; give one object or one string a document")
