"""What the rescue asks of Postgres: steps whose worker died, steps whose message may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.cluster import ClusterFact
from models.job import OPEN_STATES, Job, JobState
from models.queries import affected_rows, end_job, lock_job, record_attempt, update_steps, wakeup_of
from models.queues import Wakeup
from models.step import AttemptOutcome, Step, StepState
from models.worker import Worker

# Any constant, the same in every process: one rescue at a time.
RESCUE_LOCK = 7_114_004
# Rows per statement: a pass over a great loss stays short, the next one goes on.
BATCH_ROWS = 1_000
EPOCH = "broker_epoch"
# Pauses between crashes of one step, in seconds: 1, 2, 4, ... up to this.
MAX_BACKOFF_SECONDS = 60
# While other messages wait in a queue, one that seems lost is sent again after this long, doubled each time.
BUSY_REDISPATCH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LostStep:
    """A step whose lease ran out."""

    step_id: UUID
    job_id: UUID
    crashes: int
    worker: str | None


def try_rescue_lock(session: Session) -> bool:
    """Take the rescue's lock until the transaction ends; False if another process has it."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(RESCUE_LOCK))))


def has_restarted_within(session: Session, seconds: float) -> bool:
    """Tell whether Postgres came up so recently that nobody may have been able to renew a lease."""
    started = func.pg_postmaster_start_time()
    return bool(session.scalar(select(started > func.now() - timedelta(seconds=seconds))))


def expire_leases_of(session: Session, workers: Sequence[str]) -> int:
    """End the leases of worker processes that are known to be gone, and note that they stopped."""
    session.execute(update(Worker).where(Worker.id.in_(workers)).values(stopped_at=func.now()))
    changed = session.execute(
        update_steps()
        .where(Step.lease_owner.in_(workers), Step.state == StepState.RUNNING, Step.lease_until > func.now())
        .values(lease_until=func.now() - timedelta(microseconds=1))
    )
    return affected_rows(changed)


def find_processes(session: Session, host: str) -> list[Worker]:
    """Return the workers of one host that did not end in order."""
    return list(session.scalars(select(Worker).where(Worker.host == host, Worker.stopped_at.is_(None))))


def take_back_lost(session: Session) -> list[LostStep]:
    """Make steps ready again whose lease ran out; each runs alone from now on, after a growing pause."""
    expired = (
        select(Step.id)
        .where(Step.state == StepState.RUNNING, Step.lease_until < func.now())
        .order_by(Step.lease_until)
        .limit(BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(expired))
    if not ids:
        return []
    for step, attempt in session.execute(select(Step.id, Step.attempt).where(Step.id.in_(ids))).all():
        record_attempt(session, step, attempt, AttemptOutcome.LOST)
    pause = func.least(func.power(2, Step.crashes), MAX_BACKOFF_SECONDS) * text("interval '1 second'")
    rows = session.execute(
        update_steps()
        .where(Step.id.in_(ids))
        .values(
            state=StepState.READY,
            crashes=Step.crashes + 1,
            is_solo=True,
            lease_token=None,
            lease_until=None,
            available_at=func.now() + pause,
            dispatched_at=None,
        )
        .returning(Step.id, Step.job_id, Step.crashes, Step.lease_owner)
    )
    return [LostStep(row.id, row.job_id, row.crashes, row.lease_owner) for row in rows]


def dispatch_waiting(session: Session) -> list[Wakeup]:
    """Mark ready steps whose message was never sent as sent, for the caller to ring."""
    waiting = select(Step.id).where(
        Step.state == StepState.READY, Step.dispatched_at.is_(None), Step.available_at <= func.now()
    )
    return _dispatch(session, waiting)


def find_waiting_queues(session: Session, older_than_seconds: float) -> list[str]:
    """Return the queues with a ready step whose message went out that long ago."""
    statement = select(Step.queue).where(_is_overdue(older_than_seconds)).distinct()
    return list(session.scalars(statement))


def dispatch_overdue(session: Session, empty_queues: Sequence[str], older_than_seconds: float) -> list[Wakeup]:
    """Send again what must be lost (its queue is empty), and ever more rarely what may be lost."""
    doubled = func.power(2, func.least(Step.dispatches, 16)) * literal(BUSY_REDISPATCH)
    may_be_lost = Step.dispatched_at < func.now() - doubled
    overdue = select(Step.id).where(
        _is_overdue(older_than_seconds),
        or_(Step.queue.in_(empty_queues), may_be_lost),
        Step.available_at <= func.now(),
    )
    return _dispatch(session, overdue)


def _is_overdue(seconds: float) -> ColumnElement[bool]:
    return (Step.state == StepState.READY) & (Step.dispatched_at < func.now() - timedelta(seconds=seconds))


def _dispatch(session: Session, steps: Select[UUID]) -> list[Wakeup]:
    ids = steps.order_by(Step.dispatched_at.nulls_first()).limit(BATCH_ROWS).with_for_update(skip_locked=True)
    rows = session.execute(
        update_steps()
        .where(Step.id.in_(ids.scalar_subquery()))
        .values(dispatched_at=func.now(), dispatches=Step.dispatches + 1)
        .returning(Step.id, Step.kind, Step.queue, Step.priority)
    )
    return [wakeup_of(row) for row in rows]


def forget_dispatches(session: Session) -> int:
    """Treat every ready step as never sent: the broker lost its data."""
    changed = session.execute(
        update_steps().where(Step.state == StepState.READY, Step.dispatched_at.is_not(None)).values(dispatched_at=None)
    )
    return affected_rows(changed)


def read_epoch(session: Session) -> str | None:
    """Return the epoch of the broker's data as last seen."""
    return session.scalar(select(ClusterFact.value).where(ClusterFact.name == EPOCH))


def write_epoch(session: Session, epoch: str) -> None:
    """Remember the epoch of the broker's data."""
    statement = upsert(ClusterFact).values(name=EPOCH, value=epoch)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": epoch}))


def find_cancelling(session: Session) -> list[UUID]:
    """Return open jobs that were asked to be cancelled and that no worker runs a step of."""
    is_running = select(Step.id).where(Step.job_id == Job.id, Step.state == StepState.RUNNING).exists()
    return list(
        session.scalars(
            select(Job.id).where(Job.state.in_(OPEN_STATES), Job.cancel_requested_at.is_not(None), ~is_running)
        )
    )


def find_stuck(session: Session) -> list[UUID]:
    """Return open jobs without a step that could move them on; there are none unless an invariant broke."""
    can_move = select(Step.id).where(Step.job_id == Job.id, Step.state.in_((StepState.READY, StepState.RUNNING)))
    return list(session.scalars(select(Job.id).where(Job.state.in_(OPEN_STATES), ~can_move.exists())))


def finish_cancel(session: Session, job_id: UUID) -> bool:
    """Make a job final that was asked to be cancelled, unless a step of it still runs."""
    job = lock_job(session, job_id)
    if job.state not in OPEN_STATES or job.cancel_requested_at is None:
        return False
    counts = session.execute(
        select(
            func.count(case((Step.state == StepState.RUNNING, 1))),
            func.count(case((Step.state == StepState.READY, 1))),
        ).where(Step.job_id == job_id)
    ).one()
    session.execute(
        update_steps()
        .where(Step.job_id == job_id, Step.state == StepState.READY)
        .values(state=StepState.CANCELLED, finished_at=func.clock_timestamp())
    )
    if counts[0]:
        return False
    end_job(session, job, JobState.CANCELLED, reason="cancelled by request")
    return True
