"""Spooling of read events to a temporary file, so that ``--strict`` finds all problems before it submits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceNote, SourceProblem

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
        An iterator over the spooled events, and the number of problems among them.
    """
    problems = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        for event in events:
            report(event)
            problems += isinstance(event, SourceProblem)
            file.write(json.dumps([type(event).__name__, asdict(event)]) + "\n")
        file.seek(0)
        yield (_parse(line) for line in file), problems


def _parse(line: str) -> ReadEvent:
    kind, fields = json.loads(line)
    return KINDS[kind](**fields)
