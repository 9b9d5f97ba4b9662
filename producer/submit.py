"""Submission of a stream of sources: stores block after block, and publishes step messages after each commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.deletion import CONFLICTS
from models.errors import UnreachableError
from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.session import check_database, explain_outage
from producer.errors import SubmissionError
from producer.intake import SubmissionRequest, check_retention, find_next_position, store_block
from producer.preparation import DocumentsDigest, Preparation
from producer.sources.source import ReadEvent, Source, SourceDuplicate, SourceNote, SourceProblem, spool_events
from producer.wording import count

# Sources per transaction: enough for cheap commits, few enough to hold in memory and to repeat after a failure.
BLOCK_SOURCES = 200
# Characters per transaction, or of a request over HTTP, which bounds a block of books.
BLOCK_CHARACTERS = 8_000_000
# Words of a path; what has more is a text that was given as one.
MAX_NAME_WORDS = 4

Report = Callable[[ReadEvent], object]


@dataclass(slots=True)
class SubmissionResult:
    """Outcome of a submission for its documents, valid at any time.

    Args:
        batch: name of the batch, "" before it is known.
        created: number of new jobs.
        existing: number of jobs that were there before.
        unsent: number of steps whose messages the broker did not take.
        duplicates: documents dropped as equal to earlier ones.
        problems: sources that cannot be read.
        notes: choices made in reading.
    """

    batch: str = ""
    created: int = 0
    existing: int = 0
    unsent: int = 0
    duplicates: list[SourceDuplicate] = field(default_factory=list)
    problems: list[SourceProblem] = field(default_factory=list)
    notes: list[SourceNote] = field(default_factory=list)

    def add(self, event: ReadEvent) -> None:
        """Keep a duplicate, a problem or a note; sources are counted when stored."""
        match event:
            case SourceDuplicate():
                self.duplicates.append(event)
            case SourceProblem():
                self.problems.append(event)
            case SourceNote():
                self.notes.append(event)

    @property
    def accepted(self) -> int:
        """Number of documents that have a job now."""
        return self.created + self.existing


class NothingSubmittedError(SubmissionError):
    """None of the documents could be read.

    Args:
        result: the batch that they were for, and the problems with them.
    """

    def __init__(self, result: SubmissionResult) -> None:
        super().__init__(_describe_nothing(result))
        self.result = result


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
        self._position: int | None = None

    def run(self, events: Iterable[ReadEvent], *, report: Report = lambda _: None) -> SubmissionResult:
        """Submit every source among the events.

        Args:
            events: events of ``read_sources``, consumed lazily.
            report: called with every event after it was counted.
        """

        def count_and_report(event: ReadEvent) -> None:
            self._result.add(event)
            report(event)

        store_blocks(events, store=self._store, report=count_and_report)
        return self._result

    def _store(self, block: Sequence[Source]) -> None:
        step_messages = self._store_until_whole(block)
        self._result.created += len(step_messages)
        self._result.existing += len(block) - len(step_messages)
        self._outbox_publisher.publish(step_messages)
        self._result.unsent = self._outbox_publisher.unsent

    def _store_until_whole(self, block: Sequence[Source]) -> list[StepMessage]:
        """Store a block, again if a deletion took its batch or one of its documents meanwhile."""
        while True:
            try:
                with Session(self._database) as session, session.begin():
                    position = self._position
                    if position is None:
                        check_retention(session, self._request)
                        position = find_next_position(session, self._request.batch_id)
                    step_messages = store_block(session, self._request, block, position=position)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in CONFLICTS:
                    raise
            else:
                self._position = position + len(block)
                return step_messages


def store_blocks(events: Iterable[ReadEvent], *, store: Callable[[Sequence[Source]], object], report: Report) -> None:
    """Store the sources among events block by block.

    Args:
        events: events of reading, consumed lazily.
        store: stores a block; only a block of a single source may have more characters than are allowed.
        report: called with every event; with the source that fills a block after that is stored.
    """
    block: list[Source] = []
    characters = 0
    for event in events:
        if isinstance(event, Source):
            if block and characters + len(event.text) > BLOCK_CHARACTERS:
                store(block)
                block, characters = [], 0
            block.append(event)
            characters += len(event.text)
            if len(block) == BLOCK_SOURCES:
                store(block)
                block, characters = [], 0
        report(event)
    if block:
        store(block)


def submit_prepared(
    database: Engine,
    outbox_publisher: OutboxPublisher,
    preparation: Preparation,
    result: SubmissionResult,
    *,
    report: Report,
) -> None:
    """Read and submit the documents of a submission.

    Args:
        database: the results database.
        outbox_publisher: publishes the step messages after each commit.
        preparation: the documents and their options.
        result: updated after each block.
        report: called with every event of reading.

    Raises:
        SubmissionError: nothing can be read, or the submission is strict and something cannot; nothing is stored.
        UnreachableError: the database does not answer; the message says what is submitted already.
        KeyboardInterrupt: with a message that says so.
    """
    with (
        _explain_interruption(result),
        explain_outage(database),
        open_events(preparation, report) as (request, events, report_stored),
    ):
        # Reading may take hours: an outage is reported before.
        check_database(database)
        result.batch = request.batch
        Submission(database, outbox_publisher, request, result).run(events, report=report_stored)
    if not result.accepted:
        raise NothingSubmittedError(result)


@contextmanager
def open_events(
    preparation: Preparation, report: Report
) -> Iterator[tuple[SubmissionRequest, Iterable[ReadEvent], Report]]:
    """Open the events of reading; everything is read first if that decides about the submission or names its batch."""
    request = preparation.request
    if request.batch and not preparation.is_strict:
        yield request, preparation.reading.read(), report
        return
    digest = DocumentsDigest()

    def report_read(event: ReadEvent) -> None:
        digest.add(event)
        report(event)

    with spool_events(preparation.reading.read(), report=report_read) as (events, problems):
        if problems and preparation.is_strict:
            raise SubmissionError(f"nothing was submitted: {count(problems, 'source')} cannot be read (--strict)")
        yield request if request.batch else preparation.name_after(digest), events, lambda _: None


@contextmanager
def _explain_interruption(result: SubmissionResult) -> Iterator[None]:
    """Add to an interrupt or an outage what is submitted already."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {_describe_unfinished(result)}") from None
    except UnreachableError as error:
        raise UnreachableError(f"{error}; {_describe_unfinished(result)}") from error


def _describe_unfinished(result: SubmissionResult) -> str:
    if not result.accepted:
        return "nothing was submitted yet"
    return (
        f"{count(result.accepted, 'job')} {'is' if result.accepted == 1 else 'are'} in batch {result.batch}, "
        "the rest is not; run the same command again to complete it"
    )


def _describe_nothing(result: SubmissionResult) -> str:
    skipped = (note.message for note in result.notes if note.is_skipped)
    unread = [*(problem.message for problem in result.problems), *skipped]
    if not unread:
        return "nothing was submitted: there is no document"
    words = f"nothing was submitted: {count(len(unread), 'source')} could not be read; the first: {unread[0]}"
    is_text = any(len(problem.name.split()) > MAX_NAME_WORDS for problem in result.problems[:1])
    return f"{words} A text itself is given as gistmill.Document(text)" if is_text else words
