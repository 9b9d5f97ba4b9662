"""Deletion of jobs with everything that was made from their documents; a row without any text remains.

The row comes first, so that any worker completes a deletion whose process died. A job goes with its document, unless
another job needs that, in one transaction, under the lock that ends of steps take too: a running step loses its lease.
The digests that hold its summary go with it. Triggers delete its steps with their attempts and cached results.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Engine, exists, func, literal, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from models.digest import DigestPart
from models.erasure import delete_batches, delete_documents, delete_jobs, delete_unused_uploads, is_being_filled
from models.job import OPEN_STATES, Job
from models.month_deletion import drop_months
from models.step import Step, StepState, of_job
from models.tables import Batch, Deletion, DeletionKind, Document

# Jobs per transaction: their rows are locked until it ends.
BLOCK_JOBS = 50
# Kinds that may take every job of a month; of others one look at each job would be too much.
AGED_KINDS = (DeletionKind.AGE, DeletionKind.RETENTION)
# SQLSTATEs of a deadlock and of a conflict with a submission: the block is deleted again.
CONFLICTS = ("40P01", "40001", "23503")


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """Choice of what to delete.

    Args:
        kind: kind of the choice.
        subject: id, hash, moment in ISO format, or days; "" for a retention that only batches set.
    """

    kind: DeletionKind
    subject: str

    @property
    def condition(self) -> ColumnElement[bool]:
        """SQL condition that a job is to be deleted; jobs are chosen by age only after they have ended."""
        match self.kind:
            case DeletionKind.BATCH:
                return Job.batch_id == UUID(self.subject)
            case DeletionKind.JOB:
                return Job.id == UUID(self.subject)
            case DeletionKind.DOCUMENT:
                return Job.document_sha256 == self.subject
            case DeletionKind.AGE | DeletionKind.RETENTION:
                return self.age_condition & _has_ended()

    @property
    def age_condition(self) -> ColumnElement[bool]:
        """SQL condition that a job, which may be at work again, ended long enough ago."""
        if self.kind is DeletionKind.AGE:
            return Job.finished_at < datetime.fromisoformat(self.subject)
        days = int(self.subject) if self.subject else None
        # What no batch keeps less long is not looked at.
        least = select(func.least(func.min(Batch.retention_days), days)).scalar_subquery()
        is_past = Job.finished_at < _days_ago(func.coalesce(Batch.retention_days, days))
        return (Job.finished_at < _days_ago(least)) & exists().where(Batch.id == Job.batch_id, is_past)


@dataclass(frozen=True, slots=True)
class DeletionCounts:
    """Rows that a deletion takes.

    Args:
        jobs: jobs, with their summaries, sentences, citations, chunks and metrics.
        digests: those of them that were not chosen, but are digests that hold the summaries of others.
        open_jobs: those of them that have not ended.
        steps: steps of the jobs, with their outputs and attempts.
        documents: documents that no other job needs.
        kept_documents: documents of the jobs that other jobs need.
        characters: characters of ``documents``.
    """

    jobs: int
    digests: int
    open_jobs: int
    steps: int
    documents: int
    kept_documents: int
    characters: int


def preview_deletion(session: Session, request: DeletionRequest) -> DeletionCounts:
    """Count what a deletion would take, without any change."""
    chosen = select(Job.id).where(request.condition).cte("chosen", recursive=True)
    chosen = chosen.union(select(DigestPart.digest_id).join(chosen, chosen.c.id == DigestPart.job_id))
    jobs = (
        select(Job.id, Job.state, Job.document_sha256, request.condition.label("is_chosen"))
        .join(chosen, chosen.c.id == Job.id)
        .cte("jobs_to_delete")
    )
    others = aliased(Job)
    is_needed = exists().where(others.document_sha256 == Document.sha256, others.id.not_in(select(jobs.c.id)))
    is_affected: ColumnElement[bool] = Document.sha256.in_(select(jobs.c.document_sha256))
    if request.kind is DeletionKind.DOCUMENT:
        is_affected = or_(is_affected, Document.sha256 == request.subject)
    is_open = jobs.c.state.in_(OPEN_STATES)
    numbers = select(
        select(func.count()).select_from(jobs).scalar_subquery(),
        select(func.count()).select_from(jobs).where(~jobs.c.is_chosen).scalar_subquery(),
        select(func.count()).select_from(jobs).where(is_open).scalar_subquery(),
        select(func.count()).select_from(jobs).join(Step, of_job(jobs.c.id)).scalar_subquery(),
    )
    documents = select(
        func.count().filter(~is_needed),
        func.count().filter(is_needed),
        func.coalesce(func.sum(Document.characters).filter(~is_needed), 0),
    ).where(is_affected)
    return DeletionCounts(*session.execute(numbers).one(), *session.execute(documents).one())


def begin_deletion(session: Session, request: DeletionRequest, *, by: str) -> UUID:
    """Record a deletion, which any worker completes from then on, and return its id; the caller commits."""
    deletion = Deletion(id=uuid4(), kind=request.kind, subject=request.subject, requested_by=by)
    session.add(deletion)
    session.flush()
    return deletion.id


def begin_retention(session: Session, *, retention_days: int | None, by: str) -> UUID | None:
    """Record a deletion of the jobs that are kept no longer, unless there is none, or such a deletion is under way.

    Args:
        session: the caller commits.
        retention_days: days for which the jobs of batches without a number of their own are kept; None for ever.
        by: name for the deletion's row.
    """
    request = DeletionRequest(DeletionKind.RETENTION, "" if retention_days is None else str(retention_days))
    under_way = select(Deletion.id).where(Deletion.kind == request.kind, Deletion.finished_at.is_(None))
    if session.scalar(under_way.limit(1)) or not session.scalar(select(Job.id).where(request.condition).limit(1)):
        return None
    return begin_deletion(session, request, by=by)


def list_unfinished(session: Session) -> list[UUID]:
    """Return the deletions that are not finished, the oldest first."""
    statement = select(Deletion.id).where(Deletion.finished_at.is_(None)).order_by(Deletion.created_at)
    return list(session.scalars(statement))


def may_delete(session: Session) -> bool:
    """Return whether the role of this session may delete documents."""
    return bool(session.scalar(select(func.has_table_privilege(Document.__tablename__, "DELETE"))))


def carry_out(engine: Engine, deletion_id: UUID, *, seconds: float = inf, waits: bool = True) -> bool:
    """Delete whole months, then block by block until nothing is left, or until the time is over.

    Args:
        engine: of the results database.
        deletion_id: the deletion.
        seconds: time after which no further block begins.
        waits: wait for another process that deletes a block of the same deletion; False leaves it to that process.

    Returns:
        Whether this call has finished the deletion.
    """
    until = time.monotonic() + seconds
    with Session(engine) as session:
        deletion = session.get(Deletion, deletion_id)
    # Once, before the first block: the search of a month reads all its jobs.
    if deletion is not None and deletion.kind in AGED_KINDS and deletion.jobs == 0:
        request = DeletionRequest(DeletionKind(deletion.kind), deletion.subject)
        drop_months(engine, deletion_id, request.age_condition)
    while True:
        try:
            with Session(engine) as session, session.begin():
                deletion = _lock_unfinished(session, deletion_id, waits=waits)
                if deletion is None:
                    return False
                is_over = not delete_block(session, deletion)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in CONFLICTS:
                raise
            is_over = False
        if is_over or time.monotonic() >= until:
            return is_over


def delete_block(session: Session, deletion: Deletion) -> bool:
    """Delete a block of jobs with the documents that no other job needs; the caller commits.

    Returns:
        False if nothing was left to delete, and the deletion is marked as finished.
    """
    request = DeletionRequest(DeletionKind(deletion.kind), deletion.subject)
    while ids := _choose_jobs(session, request):
        jobs = _lock_jobs(session, request, ids)
        if not jobs:
            # Others have changed all of them meanwhile, as a retry of a batch does: there may be more behind them.
            continue
        jobs |= _lock_digests(session, list(jobs))
        deletion.jobs += len(jobs)
        steps = select(func.count()).select_from(Job).join(Step, of_job(Job.id)).where(Job.id.in_(jobs))
        deletion.steps += session.scalar(steps) or 0
        delete_jobs(session, list(jobs), are_whole_batches=request.kind is DeletionKind.BATCH)
        deletion.documents += delete_documents(session, sorted(set(jobs.values())))
        return True
    if request.kind is DeletionKind.DOCUMENT:
        deletion.documents += delete_documents(session, [request.subject])
    _delete_leftovers(session, request)
    deletion.finished_at = func.clock_timestamp()
    return False


def _lock_unfinished(session: Session, deletion_id: UUID, *, waits: bool) -> Deletion | None:
    """Lock a deletion; None if it is finished, unknown, or locked by another process and not waited for."""
    statement = select(Deletion).where(Deletion.id == deletion_id, Deletion.finished_at.is_(None))
    return session.scalars(statement.with_for_update(skip_locked=not waits)).one_or_none()


def _days_ago(days: ColumnElement[int]) -> ColumnElement[datetime]:
    return func.now() - func.make_interval(0, 0, 0, days)


def _has_ended() -> ColumnElement[bool]:
    is_at_work = exists().where(of_job(Job.id), Step.state.in_((StepState.READY, StepState.RUNNING)))
    return Job.state.not_in(OPEN_STATES) & ~is_at_work


def _choose_jobs(session: Session, request: DeletionRequest) -> Sequence[UUID]:
    return session.scalars(select(Job.id).where(request.condition).limit(BLOCK_JOBS)).all()


def _lock_jobs(session: Session, request: DeletionRequest, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Lock the jobs that are still to be deleted and return the document of each."""
    # In order of ids, so that two deletions cannot deadlock; asked again, because a job may have been retried.
    locked = select(Job.id, Job.document_sha256).where(Job.id.in_(ids), request.condition).order_by(Job.id)
    rows = session.execute(locked.with_for_update(of=Job)).all()
    return {row.id: row.document_sha256 for row in rows}


def _lock_digests(session: Session, jobs: Sequence[UUID]) -> dict[UUID, str]:
    """Lock the digests that hold summaries of jobs, and the digests of those, and return the document of each."""
    found: dict[UUID, str] = {}
    latest = jobs
    while latest:
        digests = select(DigestPart.digest_id).where(DigestPart.job_id.in_(latest))
        locked = select(Job.id, Job.document_sha256).where(Job.id.in_(digests), Job.id.not_in([*jobs, *found]))
        rows = session.execute(locked.order_by(Job.id).with_for_update(of=Job)).all()
        found |= {row.id: row.document_sha256 for row in rows}
        latest = [row.id for row in rows]
    return found


def _delete_leftovers(session: Session, request: DeletionRequest) -> None:
    """Delete the batches without jobs, and the uploads without batches, that the request is about too."""
    match request.kind:
        case DeletionKind.BATCH:
            delete_batches(session, Batch.id == UUID(request.subject))
        case DeletionKind.AGE:
            moment = datetime.fromisoformat(request.subject)
            delete_batches(session, (Batch.created_at < moment) & ~is_being_filled())
            delete_unused_uploads(session, moment)
        case DeletionKind.RETENTION:
            days = int(request.subject) if request.subject else None
            is_past = Batch.created_at < _days_ago(func.coalesce(Batch.retention_days, days))
            delete_batches(session, is_past & ~is_being_filled())
            if days is not None:
                delete_unused_uploads(session, _days_ago(literal(days)))
