from __future__ import annotations

from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceNote, SourceProblem, spool_events

EVENTS: list[ReadEvent] = [
    Source("a.md", "# Läuft\n\u2028", "markdown", "Läuft", {"author": "B"}),
    SourceProblem("b.md", "b.md is empty.", 2),
    SourceDuplicate("c.md", "a.md"),
    SourceNote("d.csv", "guessed"),
]


def test_every_event_comes_back_as_it_was() -> None:
    told: list[ReadEvent] = []

    with spool_events(EVENTS, report=told.append) as (events, problems):
        assert list(events) == EVENTS

    assert told == EVENTS
    assert problems == 1
