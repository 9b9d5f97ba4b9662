"""What reading gives: sources, and everything that has to be said about what was not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from producer.errors import SourceError

TextFormat = Literal["markdown", "text"]


@dataclass(frozen=True, slots=True)
class Source:
    """One document, ready to be submitted.

    Args:
        name: what users call it: path inside the given folder, id of a row, ``file.csv#row 3`` or URL.
        text: the normalized text; spans of chunks count its characters.
        format: "markdown" if headings, tables and code blocks are marked up, else "text".
        title: the document's own title, "" if it has none.
        metadata: what else is known about it (author, URL, other columns of its row).
    """

    name: str
    text: str
    format: TextFormat
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """Something that could not be read, in one sentence; ``exit_code`` is 2 for usage and 1 for content."""

    name: str
    message: str
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class SourceDuplicate:
    """A source that was dropped because ``first_name`` has the same name and text."""

    name: str
    first_name: str


@dataclass(frozen=True, slots=True)
class SourceNote:
    """A choice that reading made for the user: a guessed column, a file of another kind in a folder."""

    name: str
    message: str


ReadEvent = Source | SourceProblem | SourceDuplicate | SourceNote


@dataclass(frozen=True, slots=True)
class Content:
    """The normalized content of a document that has no name yet."""

    text: str
    format: TextFormat
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    def name_source(self, name: str) -> Source:
        """Return this content as a source."""
        return Source(name, self.text, self.format, self.title, self.metadata)


def describe_problem(name: str, error: SourceError) -> SourceProblem:
    """Return an error about a source as one sentence that names it."""
    return SourceProblem(name, f"{name} {error}.", error.exit_code)


# 16 bytes make an accidental collision among a billion documents less likely than a disk error.
DIGEST_BYTES = 16


class SeenDigests:
    """The documents so far: a digest each, so that a million of them take some 200 MB at most."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def find_first(self, key: str, text: str, *, name: str) -> str | None:
        """Return the name of an earlier document with this key and text; without one, remember this one."""
        digest = blake2b(f"{len(key)}:{key}".encode(), digest_size=DIGEST_BYTES)
        digest.update(text.encode())
        first_name = self._names.get(digest.digest())
        if first_name is None:
            self._names[digest.digest()] = name
        return first_name
