"""Progress of chat batches from status to status: their lines are validated and stored, and their end is noticed.

Every step is a short transaction that begins with the status in the row, so that a server may die at any point and
another one, or the same one after its restart, goes on; two servers at once do nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID, uuid4

from sqlalchemy import Engine, exists, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.chat import OPEN_STATUSES, ChatBatch, ChatBatchStatus
from models.deletion import may_delete
from models.erasure import delete_spared_upload
from models.files import FilePurpose, StoredFile
from models.job import OPEN_STATES, Job, JobState
from models.lookup import Target
from models.publisher import OutboxPublisher
from models.registry import list_known_names
from models.step_updates import affected_rows
from models.tables import Batch
from producer.cancel import cancel_jobs
from producer.chat.files import read_lines
from producer.chat.intake import store_lines
from producer.chat.lines import ChatLine, LineProblem, parse_line
from producer.chat.output import write_lines

# Lines per transaction.
BLOCK_LINES = 200
# Lines of a file, as in OpenAI's API.
MAX_LINES = 50_000
# Problems of a refused file that are kept.
MAX_PROBLEMS = 100


def list_open(database: Engine) -> Sequence[UUID]:
    """Return the batches that have not ended, the oldest first."""
    with Session(database) as session:
        statement = select(ChatBatch.id).where(ChatBatch.status.in_(OPEN_STATUSES)).order_by(ChatBatch.created_at)
        return session.scalars(statement).all()


def advance_batches(database: Engine, outbox_publisher: OutboxPublisher) -> None:
    """Do what the batches that have not ended wait for, as far as it goes now.

    Raises:
        Exception: the first error of a batch, after all others were advanced.
    """
    errors: list[Exception] = []
    for batch_id in list_open(database):
        try:
            advance_batch(database, outbox_publisher, batch_id)
        except OperationalError:
            # The database is away for every batch.
            raise
        except Exception as error:  # noqa: BLE001 - the fault of one batch must not stop all others
            errors.append(error)
    if errors:
        raise errors[0]


def advance_batch(database: Engine, outbox_publisher: OutboxPublisher, batch_id: UUID) -> None:
    """Do what a batch waits for, as far as it goes now."""
    with Session(database) as session:
        batch = session.get_one(ChatBatch, batch_id)
    if batch.status == ChatBatchStatus.VALIDATING:
        _validate(database, batch)
        with Session(database) as session:
            batch = session.get_one(ChatBatch, batch_id)
    if batch.status == ChatBatchStatus.IN_PROGRESS and batch.stored < (batch.lines or 0):
        _store(database, outbox_publisher, batch)
    is_late = batch.expires_at <= datetime.now(UTC)
    if batch.status == ChatBatchStatus.CANCELLING or is_late:
        _cancel_open(database, batch_id)
    _conclude(database, batch_id, is_late=is_late)


def _validate(database: Engine, batch: ChatBatch) -> None:
    problems: list[LineProblem] = []
    seen: set[str] = set()
    lines = 0
    for line in _parse_lines(database, batch.input_file):
        lines += 1
        if isinstance(line, LineProblem):
            problems.append(line)
        elif line.custom_id in seen:
            words = f"line {line.number}: custom_id {line.custom_id!r} stands twice; give each line its own"
            problems.append(LineProblem("duplicate_custom_id", line.number, words, "custom_id"))
        else:
            seen.add(line.custom_id)
        if len(problems) == MAX_PROBLEMS or lines > MAX_LINES:
            break
    if lines > MAX_LINES:
        problems = [LineProblem("too_many_tasks", lines, f"the file has more than {MAX_LINES:,} lines; split it")]
    if not lines:
        problems = [LineProblem("empty_file", 0, "the file has no lines, or is deleted")]
    with Session(database) as session, session.begin():
        session.execute(
            update(ChatBatch)
            .where(ChatBatch.id == batch.id, ChatBatch.status == ChatBatchStatus.VALIDATING)
            .values(
                {"status": ChatBatchStatus.FAILED, "errors": list(map(asdict, problems)), "ended_at": func.now()}
                if problems
                else {"status": ChatBatchStatus.IN_PROGRESS, "lines": lines, "in_progress_at": func.now()}
            )
        )


def _parse_lines(database: Engine, file_id: UUID) -> Iterator[ChatLine | LineProblem]:
    return (parse_line(number, data) for number, data in enumerate(read_lines(database, file_id), start=1))


def _store(database: Engine, outbox_publisher: OutboxPublisher, batch: ChatBatch) -> None:
    """Store the lines that are not jobs yet, until they are or the status changes."""
    with Session(database) as session:
        served = list_known_names(session)
    stored = batch.stored
    lines = islice(_parse_lines(database, batch.input_file), stored, None)
    while block := [line for line in islice(lines, BLOCK_LINES) if isinstance(line, ChatLine)]:
        with Session(database) as session, session.begin():
            # Under its lock the batch cannot be cancelled, nor the same block be stored by another server.
            changed = session.execute(
                update(ChatBatch)
                .where(
                    ChatBatch.id == batch.id,
                    ChatBatch.status == ChatBatchStatus.IN_PROGRESS,
                    ChatBatch.stored == stored,
                )
                .values(stored=stored + len(block))
            )
            if not affected_rows(changed):
                return
            step_messages = store_lines(session, batch.id, block, served)
            if stored + len(block) == batch.lines and may_delete(session):
                delete_spared_upload(session, batch.id, lines=batch.lines)
        stored += len(block)
        outbox_publisher.publish(step_messages)
    if stored < (batch.lines or 0):
        _cancel_unreadable(database, batch, stored)


def _cancel_unreadable(database: Engine, batch: ChatBatch, stored: int) -> None:
    """Cancel a batch whose file was deleted before all its lines were jobs: the rest can never be read."""
    words = f"the file was deleted after {stored:,} of its {batch.lines:,} lines were stored; upload it again"
    problem = LineProblem("file_deleted", stored + 1, words)
    with Session(database) as session, session.begin():
        session.execute(
            update(ChatBatch)
            .where(
                ChatBatch.id == batch.id, ChatBatch.status == ChatBatchStatus.IN_PROGRESS, ChatBatch.stored == stored
            )
            .values(status=ChatBatchStatus.CANCELLING, cancelling_at=func.now(), errors=[asdict(problem)])
        )


def _cancel_open(database: Engine, batch_id: UUID) -> None:
    with Session(database) as session:
        target = Target(batch_id, session.get_one(Batch, batch_id).name)
    cancel_jobs(database, target, total=0)


def _conclude(database: Engine, batch_id: UUID, *, is_late: bool) -> None:
    """End a batch whose jobs have ended, and make its files."""
    with Session(database) as session:
        if not _can_end(session, session.get_one(ChatBatch, batch_id), is_late=is_late):
            return
    _begin_finalizing(database, batch_id)
    # Without a transaction: Postgres ends one that waits for answers which take minutes to read.
    purposes = (FilePurpose.OUTPUT, FilePurpose.ERRORS)
    output, errors = (sum(map(len, write_lines(database, batch_id, purpose))) for purpose in purposes)
    with Session(database) as session, session.begin():
        batch = session.scalars(select(ChatBatch).where(ChatBatch.id == batch_id).with_for_update()).one()
        if not _can_end(session, batch, is_late=is_late):
            return
        batch.ended_at = func.now()
        batch.output_file = _make_file(session, batch, FilePurpose.OUTPUT, output)
        batch.error_file = _make_file(session, batch, FilePurpose.ERRORS, errors)
        batch.status = _choose_status(session, batch, is_late=is_late)


def _begin_finalizing(database: Engine, batch_id: UUID) -> None:
    """Show that all requests have ended and the files are being made; a cancelled batch is shown as that."""
    with Session(database) as session, session.begin():
        session.execute(
            update(ChatBatch)
            .where(ChatBatch.id == batch_id, ChatBatch.status == ChatBatchStatus.IN_PROGRESS)
            .values(status=ChatBatchStatus.FINALIZING, finalizing_at=func.now())
        )


def _can_end(session: Session, batch: ChatBatch, *, is_late: bool) -> bool:
    is_whole = batch.lines is not None and batch.stored == batch.lines
    is_asked_for = is_whole or is_late or batch.status == ChatBatchStatus.CANCELLING
    return batch.status in OPEN_STATUSES and is_asked_for and not _has_jobs(session, batch.id, OPEN_STATES)


def _choose_status(session: Session, batch: ChatBatch, *, is_late: bool) -> ChatBatchStatus:
    if batch.status == ChatBatchStatus.CANCELLING:
        return ChatBatchStatus.CANCELLED
    is_whole = batch.stored == (batch.lines or 0) and not _has_jobs(session, batch.id, (JobState.CANCELLED,))
    return ChatBatchStatus.EXPIRED if is_late and not is_whole else ChatBatchStatus.COMPLETED


def _has_jobs(session: Session, batch_id: UUID, states: Sequence[JobState]) -> bool:
    return bool(session.scalar(select(exists().where(Job.batch_id == batch_id, Job.state.in_(states)))))


def _make_file(session: Session, batch: ChatBatch, purpose: FilePurpose, size: int) -> UUID | None:
    """Create the file of the answers or of the errors; None if it would be empty."""
    if not size:
        return None
    file = StoredFile(id=uuid4(), purpose=purpose, filename=f"{purpose}.jsonl", bytes=size, batch_id=batch.id)
    session.add(file)
    return file.id
