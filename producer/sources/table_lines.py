"""Lines of text tables, tolerant of damage: a byte, a NUL or a line that is too long costs the row that holds it.

Bytes that are not in the file's encoding become lone surrogates, which the reader of the row refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from producer.errors import UnreadableError
from producer.sources.decoding import (
    CHUNK_BYTES,
    detect_encoding,
    find_byte_order_mark,
    find_invalid_utf8,
    find_switching_encoding,
    find_utf16,
    has_binary,
)
from producer.sources.limits import ReadLimits


class LongLine(str):
    """Stands for a line that is too long; holds a quote if the line has an odd number of them."""

    __slots__ = ()


def read_lines(path: Path, limits: ReadLimits) -> Iterator[str]:
    """Yield lines with their line ends; the limit of a document's length holds for a line.

    Raises:
        UnreadableError: the file is binary, not text.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        encoding = find_line_encoding(stream)
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as lines:
        while line := lines.readline(limits.text_chars + 1):
            if len(line) > limits.text_chars:
                quotes = line.count('"')
                while not line.endswith(("\n", "\r")) and (line := lines.readline(CHUNK_BYTES)):
                    quotes += line.count('"')
                yield LongLine('"' * (quotes % 2))
            else:
                yield line


def find_line_encoding(stream: BinaryIO) -> str:
    """Return the encoding of most lines of a stream, and rewind it.

    Raises:
        UnreadableError: most lines are binary.
    """
    if mark := find_byte_order_mark(stream) or find_utf16(stream):
        return mark
    try:
        is_clean = find_invalid_utf8(stream) is None
    except UnreadableError:
        is_clean = False
    stream.seek(0)
    if is_clean:
        return find_switching_encoding(stream) or "utf-8"
    return _count_encodings(stream)


def _count_encodings(stream: BinaryIO) -> str:
    binary = valid = 0
    damaged: list[bytes] = []
    total = 0
    while line := stream.readline(CHUNK_BYTES):
        total += 1
        binary += has_binary(line)
        if not line.isascii():
            if _is_utf8(line):
                valid += 1
            else:
                damaged.append(line)
    stream.seek(0)
    if binary > total / 2:
        raise UnreadableError("is binary, not text; give a table as CSV, JSONL or Parquet")
    if len(damaged) <= valid:
        return "utf-8"
    try:
        return detect_encoding(b"".join(damaged)[:CHUNK_BYTES], None)
    except UnreadableError:
        # No encoding fits all lines: those that are not UTF-8 are refused one by one.
        return "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
