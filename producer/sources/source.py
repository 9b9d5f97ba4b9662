"""Events of reading: sources, problems, duplicates and notes, and a spool for them in a temporary file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from models.full_disk import TEMPORARY_REMEDY, explain_full_disk
from producer.errors import SourceError
from producer.wording import count

TextFormat = Literal["markdown", "text"]
# Key of a document's metadata: the parts that are not in its text, as predicates: "holds 2 comments, which …".
NOTES = "notes"


@dataclass(frozen=True, slots=True)
class Source:
    """One normalized document.

    Args:
        name: display name: path inside the given folder, id of a row, ``file.csv#row 3`` or URL.
        text: normalized text; the spans of chunks are offsets in its characters.
        format: "markdown" if headings, tables and code blocks are marked up, else "text".
        title: title found in the document, "" if it has none.
        metadata: further facts, such as author, URL, other columns of its row.
    """

    name: str
    text: str
    format: TextFormat
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """A source that cannot be read, and why; ``exit_code`` is 2 for usage and 1 for content."""

    name: str
    message: str
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class SourceDuplicate:
    """A source dropped as a duplicate of ``first_name``."""

    name: str
    first_name: str


@dataclass(frozen=True, slots=True)
class SourceNote:
    """A choice made for the user: a guessed column, a skipped file of a folder.

    Args:
        name: name of the source.
        message: the choice, as a sentence.
        is_skipped: True if the source is a file of a folder or glob whose kind cannot be read.
    """

    name: str
    message: str
    is_skipped: bool = False


# Advice where a text is a picture.
READ_SCANS = (
    "submit it with --ocr (pip install --constraint constraints.txt '.[ocr]'), "
    "or run text recognition (OCR) on it first"
)
ReadEvent = Source | SourceProblem | SourceDuplicate | SourceNote


@dataclass(frozen=True, slots=True)
class Content:
    """Normalized content of a document without a name.

    Args:
        text: normalized text.
        format: as of a source.
        title: title found in the document.
        metadata: further facts.
        notes: parts of the document that are not in the text, each as a predicate: "holds 2 comments, which …".
    """

    text: str
    format: TextFormat
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def name_source(self, name: str) -> Source:
        """Return this content as a source; its notes are kept in the metadata."""
        metadata = self.metadata | {NOTES: "; ".join(self.notes)} if self.notes else self.metadata
        return Source(name, self.text, self.format, self.title, metadata)

    def list_notes(self, name: str) -> list[SourceNote]:
        """Return the notes as events."""
        return [SourceNote(name, f"{name} {note}.") for note in self.notes]

    def list_events(self, name: str) -> list[ReadEvent]:
        """Return the notes and the source."""
        return [*self.list_notes(name), self.name_source(name)]


def describe_unread(unread: Mapping[str, int]) -> tuple[str, ...]:
    """Return a note that counts things that are not in the text, by their names; nothing if there are none."""
    things = [count(number, name) for name, number in unread.items() if number]
    if not things:
        return ()
    verb = "is" if sum(unread.values()) == 1 else "are"
    return (f"holds {' and '.join(filter(None, (', '.join(things[:-1]), things[-1])))}, which {verb} left out",)


def describe_problem(name: str, error: SourceError) -> SourceProblem:
    """Return the problem for a source's error, with its name in front of the message."""
    return SourceProblem(name, f"{name} {error}.", error.exit_code)


# Bytes of a digest; with 16 a collision among a billion documents is less likely than a disk error.
DIGEST_BYTES = 16


class SeenDigests:
    """Digests of the documents read so far; a million take 200 MB at most."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def find_first(self, key: str, text: str, *, name: str) -> str | None:
        """Return the name of an earlier document with this key and text; if there is none, add this one."""
        digest = blake2b(f"{len(key)}:{key}".encode(), digest_size=DIGEST_BYTES)
        digest.update(text.encode())
        first_name = self._names.get(digest.digest())
        if first_name is None:
            self._names[digest.digest()] = name
        return first_name


KINDS: dict[str, Callable[..., ReadEvent]] = {
    kind.__name__: kind for kind in (Source, SourceDuplicate, SourceNote, SourceProblem)
}


@contextmanager
def spool_events(
    events: Iterable[ReadEvent], *, report: Callable[[ReadEvent], None]
) -> Iterator[tuple[Iterator[ReadEvent], int]]:
    """Read all events to a temporary file, in constant memory.

    Args:
        events: events of ``read_sources``.
        report: called with every event as it is read.

    Yields:
        An iterator over the spooled events, and the number of sources among them that cannot be read.
    """
    problems = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        with explain_full_disk(Path(tempfile.gettempdir()), remedy=TEMPORARY_REMEDY):
            for event in events:
                report(event)
                problems += isinstance(event, SourceProblem) or (isinstance(event, SourceNote) and event.is_skipped)
                file.write(json.dumps([type(event).__name__, asdict(event)]) + "\n")
            file.seek(0)
        yield (_parse_event(line) for line in file), problems


def _parse_event(line: str) -> ReadEvent:
    kind, fields = json.loads(line)
    return KINDS[kind](**fields)
