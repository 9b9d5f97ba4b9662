"""Submission of a stream of sources: stores block after block, and publishes step messages after each commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.publisher import OutboxPublisher
from producer.intake import SubmissionRequest, store_block
from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceProblem

# Sources per transaction: enough for cheap commits, few enough to hold in memory and to repeat after a failure.
BLOCK_SOURCES = 200
# Characters per transaction, which bounds a block of books.
BLOCK_CHARACTERS = 8_000_000


@dataclass(slots=True)
class SubmissionResult:
    """Counts of a submission, valid at any time."""

    created: int = 0
    existing: int = 0
    duplicates: int = 0
    unsent: int = 0
    problems: list[SourceProblem] = field(default_factory=list)

    def count(self, event: ReadEvent) -> None:
        """Count a duplicate or a problem; sources are counted when stored."""
        self.duplicates += isinstance(event, SourceDuplicate)
        if isinstance(event, SourceProblem):
            self.problems.append(event)

    @property
    def accepted(self) -> int:
        """Number of documents that have a job now."""
        return self.created + self.existing


class Submission:
    """One run of storing and publishing a stream of sources."""

    def __init__(
        self, database: Engine, outbox_publisher: OutboxPublisher, request: SubmissionRequest, result: SubmissionResult
    ) -> None:
        """Bind the submission to its database and publisher.

        Args:
            database: the results database.
            outbox_publisher: publishes the step messages after each commit.
            request: options of every document.
            result: updated after each block, so that it is valid after an interruption.
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
            events: events of ``read_sources``, consumed lazily.
            report: called with every event after it was counted.
        """
        block: list[Source] = []
        for event in events:
            if isinstance(event, Source):
                block.append(event)
                if len(block) == BLOCK_SOURCES or sum(len(source.text) for source in block) > BLOCK_CHARACTERS:
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
