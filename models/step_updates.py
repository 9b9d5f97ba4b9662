"""The life of a step in SQL after its claim: renew, give back, fail, and the end of its job.

Every statement that ends a run is fenced by the lease token of that run, so a worker that was cut off for longer than
its lease writes nothing. Whoever needs both locks a job's row before a step's.
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
from models.step import AttemptOutcome, Step, StepAttempt, StepState
from models.tables import Worker


def update_steps() -> Update:
    """Start an UPDATE of steps."""
    # No ORM object of a step is held while statements run, so there is nothing to synchronize.
    return update(Step).execution_options(synchronize_session=False)


def affected_rows(result: object) -> int:
    """Return how many rows a statement changed."""
    return cast("CursorResult[Any]", result).rowcount


def renew_leases(session: Session, tokens: Sequence[UUID], *, lease_seconds: float) -> dict[UUID, bool]:
    """Extend the leases that are still ours.

    Returns:
        For each token that still holds its step, whether the step's job was asked to be cancelled.
    """
    rows = session.execute(
        update_steps()
        .where(Step.lease_token.in_(tokens), Step.state == StepState.RUNNING, Job.id == Step.job_id)
        .values(lease_until=func.now() + timedelta(seconds=lease_seconds))
        .returning(Step.lease_token, Job.cancel_requested_at)
    )
    return {row.lease_token: row.cancel_requested_at is not None for row in rows}


# Built once, as every statement of a step is.
_LOCK_JOB = (
    select(Job).where(Job.id == bindparam("this_job")).with_for_update().execution_options(populate_existing=True)
)


def lock_job(session: Session, job_id: UUID) -> Job:
    """Lock a job's row until the transaction ends and return it as it is now."""
    return session.execute(_LOCK_JOB, {"this_job": job_id}).scalar_one()


def _is_ours(claim: Claim) -> ColumnElement[bool]:
    return and_(Step.id == claim.step_id, Step.lease_token == claim.token, Step.state == StepState.RUNNING)


def begin_alone(session: Session, claim: Claim) -> None:
    """Count a run as a crash before it begins; whatever ends it in order takes the count back.

    A worker that dies cannot say which of its steps killed it, so only a step that runs alone is counted.
    """
    session.execute(update_steps().where(_is_ours(claim)).values(crashes=claim.crashes + 1))


def fail_step(session: Session, claim: Claim, error: Json, *, worker: str) -> bool:
    """End a step that cannot succeed; False if the lease was lost."""
    changed = session.execute(
        update_steps()
        .where(_is_ours(claim))
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
    """Give a running step back to be run again; an error is counted, an orderly release is not."""
    is_error = outcome is AttemptOutcome.ERROR
    changed = session.execute(
        update_steps()
        .where(_is_ours(claim))
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
    """Write down how one run of a step ended."""
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
    """Tell whether this very run's result is stored, for a COMMIT whose reply was lost."""
    statement = select(exists().where(Step.id == claim.step_id, Step.done_token == claim.token))
    return bool(session.execute(statement).scalar_one())


def end_job(job: Job, state: JobState, *, summary: str | None = None, reason: str | None = None) -> None:
    """Make a job final, in the caller's transaction and under the caller's lock on its row."""
    job.state, job.summary, job.reason = state, summary, reason
    job.pending, job.finished_at = 0, func.clock_timestamp()


def find_cancelled(session: Session, tokens: Sequence[UUID]) -> list[UUID]:
    """Return the lease tokens among these whose job was asked to be cancelled."""
    return list(
        session.scalars(
            select(Step.lease_token)
            .join(Job, Job.id == Step.job_id)
            .where(Step.lease_token.in_(tokens), Job.cancel_requested_at.is_not(None))
        )
    )


def register_worker(session: Session, worker: Worker) -> None:
    """Write down that a worker process has started."""
    session.add(worker)


def record_heartbeat(session: Session, worker_id: str) -> None:
    """Note that a worker process is alive."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=func.now()))


def stop_worker(session: Session, worker_id: str) -> None:
    """Note that a worker process has ended in order."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(stopped_at=func.now()))
