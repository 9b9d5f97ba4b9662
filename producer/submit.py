"""Submits a stream of sources: block by block into Postgres, and after each commit the doorbell is rung."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.publisher import Announcer
from producer.intake import Order, store_block
from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceProblem

# Sources per transaction: enough to make commits cheap, few enough to lose little and to hold little in memory.
BLOCK_SOURCES = 200
# Characters per transaction, so that a block of books stays as small as one of articles.
BLOCK_CHARACTERS = 8_000_000


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    created: int = 0
    existing: int = 0
    duplicates: int = 0
    unsent: int = 0
    problems: list[SourceProblem] = field(default_factory=list)

    def count(self, event: ReadEvent) -> None:
        """Count what is dropped; a source counts when it is stored."""
        self.duplicates += isinstance(event, SourceDuplicate)
        if isinstance(event, SourceProblem):
            self.problems.append(event)

    @property
    def accepted(self) -> int:
        """Documents that have a job now."""
        return self.created + self.existing


class Submission:
    """One submission on its way into the queue."""

    def __init__(self, database: Engine, announcer: Announcer, order: Order, tally: Tally) -> None:
        """Prepare it.

        Args:
            database: where the rows go.
            announcer: told after each commit.
            order: what is asked for every document.
            tally: counts what happens; it is right at any time, also after an interruption.
        """
        self._database = database
        self._announcer = announcer
        self._order = order
        self._tally = tally

    def run(self, events: Iterable[ReadEvent], *, report: Callable[[ReadEvent], None] = lambda _: None) -> Tally:
        """Submit every source among the events.

        Args:
            events: what reading gives, consumed as it is stored.
            report: told of every event after it was counted.
        """
        block: list[Source] = []
        for event in events:
            if isinstance(event, Source):
                block.append(event)
                if len(block) == BLOCK_SOURCES or sum(len(each.text) for each in block) > BLOCK_CHARACTERS:
                    self._store(block)
                    block = []
            self._tally.count(event)
            report(event)
        if block:
            self._store(block)
        return self._tally

    def _store(self, block: Sequence[Source]) -> None:
        with Session(self._database) as session, session.begin():
            wakeups = store_block(session, self._order, block)
        self._tally.created += len(wakeups)
        self._tally.existing += len(block) - len(wakeups)
        self._announcer.announce(wakeups)
        self._tally.unsent = self._announcer.unsent
