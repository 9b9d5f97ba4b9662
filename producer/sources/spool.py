"""Keeps what reading gave in a temporary file, so that everything can be judged before the first row is written."""

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
    """Read everything to its end, in constant memory.

    Args:
        events: what reading gives.
        report: told of every event as it is read.

    Yields:
        The same events once more, and how many of them are problems.
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
