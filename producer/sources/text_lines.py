"""Streams the lines of a text file of any encoding, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from producer.sources.decoding import find_encoding
from producer.sources.limits import ReadLimits
from producer.sources.table import BrokenTableError


def read_lines(path: Path, limits: ReadLimits) -> Iterator[str]:
    """Yield lines with their ends; one line may not be longer than one document may be.

    Raises:
        BrokenTableError: a line is too long.
        SourceError: the file is not text.
        OSError: the system does not let us read it.
    """
    with path.open("rb") as stream:
        encoding = find_encoding(stream)
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as lines:
        while line := lines.readline(limits.text_chars + 1):
            if len(line) > limits.text_chars:
                raise BrokenTableError(f"a line of more than {limits.text_chars:,} characters")
            yield line
