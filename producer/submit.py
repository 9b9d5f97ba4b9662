"""Submits a stream of sources: block by block into Postgres, and after each commit the doorbell is rung."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.publisher import OutboxPublisher
from producer.intake import SubmissionRequest, store_block
from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceProblem

# Sources per transaction: enough to make commits cheap, few enough to lose little and to hold little in memory.
BLOCK_SOURCES = 200
# Characters per transaction, so that a block of books stays as small as one of articles.
BLOCK_CHARACTERS = 8_000_000


@dataclass(slots=True)
class SubmissionResult:
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

    def __init__(
        self, database: Engine, outbox_publisher: OutboxPublisher, request: SubmissionRequest, result: SubmissionResult
    ) -> None:
        """Prepare it.

        Args:
            database: where the rows go.
            outbox_publisher: told after each commit.
            request: what is asked for every document.
            result: counts what happens; it is right at any time, also after an interruption.
        """
        self._database = database
        self._outbox_publisher = outbox_publisher
        self._request = request
        self._result = result

    def run(
        self, events: Iterable[ReadEvent], *, report: Callable[[ReadEvent], None] = lambda _: None
    ) -> SubmissionResult:
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
            self._result.count(event)
            report(event)
        if block:
            self._store(block)
        return self._result

    def _store(self, block: Sequence[Source]) -> None:
        with Session(self._database) as session, session.begin():
            step_messages = store_block(session, self._request, block)
        self._result.created += len(step_messages)
        self._result.existing += len(block) - len(step_messages)
        self._outbox_publisher.publish(step_messages)
        self._result.unsent = self._outbox_publisher.unsent
