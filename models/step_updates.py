"""Updates of a step after its claim: renewing its lease, releasing it, failing it, and the end of its job.

Every statement that ends an attempt is fenced by its lease token, so that a worker whose lease expired writes nothing.
Lock order: a job's row before a step's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Update, and_, bindparam, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.base import Json
from models.claims import Claim
from models.job import Job, JobState
from models.partitions import group_by_partition
from models.step import AttemptOutcome, Step, StepAttempt, StepState
from models.tables import Worker


def update_steps() -> Update:
    """Return an UPDATE of steps."""
    # The session holds no ORM objects of steps to synchronize.
    return update(Step).execution_options(synchronize_session=False)


def affected_rows(result: object) -> int:
    """Return the number of rows that a statement changed."""
    return cast("CursorResult[Any]", result).rowcount


def renew_leases(session: Session, held: Sequence[Claim], *, lease_seconds: float) -> dict[UUID, bool]:
    """Extend the leases that this worker still holds.

    Returns:
        For each token that still holds its step: True if the job has a request to cancel.
    """
    renewed: dict[UUID, bool] = {}
    for claimed in _claim_conditions(held):
        rows = session.execute(
            update_steps()
            .where(claimed, Step.state == StepState.RUNNING, Job.id == Step.job_id)
            .values(lease_until=func.now() + timedelta(seconds=lease_seconds))
            .returning(Step.lease_token, Job.cancel_requested_at)
        )
        renewed |= {row.lease_token: row.cancel_requested_at is not None for row in rows}
    return renewed


def _claim_conditions(held: Sequence[Claim]) -> list[ColumnElement[bool]]:
    """Return the conditions that a step is one of the claims, one condition a partition."""
    tokens = [claim.token for claim in held]
    return [
        and_(Step.id.in_(steps), Step.lease_token.in_(tokens))
        for steps in group_by_partition(claim.step_id for claim in held)
    ]


# Built once, because building SQL costs as much as a round trip.
_LOCK_JOB = (
    select(Job).where(Job.id == bindparam("this_job")).with_for_update().execution_options(populate_existing=True)
)


def lock_job(session: Session, job_id: UUID) -> Job | None:
    """Lock a job's row until the transaction ends and return its current values; None if it was deleted."""
    return session.execute(_LOCK_JOB, {"this_job": job_id}).scalar_one_or_none()


def _holds_lease(claim: Claim) -> ColumnElement[bool]:
    return and_(Step.id == claim.step_id, Step.lease_token == claim.token, Step.state == StepState.RUNNING)


def begin_alone(session: Session, claim: Claim) -> None:
    """Count an attempt as a crash before it starts; its orderly end resets the count.

    Only steps that run alone are counted, because the step that killed a worker is unknown if several ran.
    """
    session.execute(update_steps().where(_holds_lease(claim)).values(crashes=claim.crashes + 1))


def fail_step(session: Session, claim: Claim, error: Json, *, worker: str) -> bool:
    """Mark a step as failed; return False if the lease was lost."""
    changed = session.execute(
        update_steps()
        .where(_holds_lease(claim))
        .values(
            state=StepState.FAILED,
            crashes=claim.crashes,
            lease_token=None,
            lease_until=None,
            worker=worker,
            error=error,
            finished_at=func.clock_timestamp(),
        )
    )
    return affected_rows(changed) == 1


def release_step(
    session: Session,
    claim: Claim,
    *,
    outcome: AttemptOutcome,
    delay_seconds: float = 0,
    error: Json | None = None,
) -> bool:
    """Return a running step to ready and count an error, but no other outcome; return False if the lease was lost."""
    is_error = outcome is AttemptOutcome.ERROR
    changed = session.execute(
        update_steps()
        .where(_holds_lease(claim))
        .values(
            state=StepState.READY,
            lease_token=None,
            lease_until=None,
            errors=Step.errors + int(is_error),
            crashes=claim.crashes,
            available_at=func.now() + timedelta(seconds=delay_seconds),
            dispatched_at=None,
        )
    )
    if affected_rows(changed) == 0:
        return False
    record_attempt(session, claim.step_id, claim.attempt, outcome, error=error)
    return True


def record_attempt(
    session: Session, step: UUID, attempt: int, outcome: AttemptOutcome, *, error: Json | None = None
) -> None:
    """Record the end of one attempt at a step."""
    source = select(
        Step.id,
        literal(attempt),
        Step.lease_owner,
        Step.started_at,
        literal(outcome.value),
        literal(error, Step.error.type),
    ).where(Step.id == step)
    columns = ["step_id", "attempt", "worker", "started_at", "outcome", "error"]
    session.execute(upsert(StepAttempt).from_select(columns, source).on_conflict_do_nothing())


def was_completed(session: Session, claim: Claim) -> bool:
    """Return True if the result of this attempt is stored, for a COMMIT whose reply was lost."""
    statement = select(exists().where(Step.id == claim.step_id, Step.done_token == claim.token))
    return bool(session.execute(statement).scalar_one())


def end_job(
    job: Job, state: JobState, *, summary: str | None = None, reason: str | None = None, data: Json | None = None
) -> None:
    """Move a job to a final state; the caller holds the lock on its row."""
    job.state, job.summary, job.reason = state, summary, reason
    if data is not None:
        job.data = data
    job.pending, job.finished_at = 0, func.clock_timestamp()


def find_cancelled(session: Session, held: Sequence[Claim]) -> list[UUID]:
    """Return the lease tokens of those claims whose job has a request to cancel."""
    return [
        token
        for claimed in _claim_conditions(held)
        for token in session.scalars(
            select(Step.lease_token)
            .join(Job, Job.id == Step.job_id)
            .where(claimed, Job.cancel_requested_at.is_not(None))
        )
        if token is not None
    ]


def register_worker(session: Session, worker: Worker) -> None:
    """Record the start of a worker process."""
    session.add(worker)


def record_heartbeat(session: Session, worker_id: str) -> None:
    """Record a heartbeat of a worker process."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=func.now()))


def stop_worker(session: Session, worker_id: str) -> None:
    """Record the orderly stop of a worker process."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(stopped_at=func.now()))
