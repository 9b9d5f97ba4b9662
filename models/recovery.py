"""Queries that reclaim lost work: steps whose lease expired, and ready steps whose message may be lost.

Each reads one partition. ``find_open_partitions`` finds those that have anything to reclaim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, text, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.base import constant
from models.broker_state import SuspectedLoss
from models.job import OPEN_STATES, Job, JobState
from models.outbox import MESSAGE, message_of
from models.partitions import StepRange, list_ranges
from models.queues import StepMessage
from models.step import AttemptOutcome, Step, StepState, in_range, of_job
from models.step_updates import affected_rows, end_job, lock_job, record_attempt, update_steps
from models.tables import ClusterFact, Worker

# Name of the row of cluster_facts that a process locks while it reclaims.
RECLAIM_LOCK = "rescue"
# Rows per statement: keeps the transaction short after a great loss; the next cycle continues.
BATCH_ROWS = 1_000
# With `appendfsync everysec` Redis may lose its last second of writes in a crash. Assume 10 s, ...
BROKER_LOSS_WINDOW = timedelta(seconds=10)
# ... and an error of 3 s in a start time that is computed from the uptime, which is in whole seconds.
START_ERROR = timedelta(seconds=3)
# Written as constants: a plan that Postgres keeps for all parameters could use no index of open steps.
IS_READY = Step.state == constant(StepState.READY)
IS_RUNNING = Step.state == constant(StepState.RUNNING)
# Longest pause after a crash of a step; the pauses are 1, 2, 4, ... seconds.
MAX_BACKOFF_SECONDS = 60
# A message may wait for hours behind others. It is sent again after this time in case it was lost, ...
BUSY_REDISPATCH = timedelta(minutes=10)
# ... in this many rows per cycle, so that duplicates do not fill a long queue.
BUSY_ROWS = 100


@dataclass(frozen=True, slots=True)
class LostStep:
    """A step whose lease expired."""

    step_id: UUID
    job_id: UUID
    crashes: int
    worker: str | None


def try_reclaim_lock(session: Session) -> bool:
    """Lock the reclaim row until the transaction ends; return False if another process holds it.

    A row lock needs the right to update the table; an advisory lock could be held by any role that can connect.
    """
    row = upsert(ClusterFact).values(name=RECLAIM_LOCK, value="one at a time")
    session.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    free = select(ClusterFact.name).where(ClusterFact.name == RECLAIM_LOCK).with_for_update(skip_locked=True)
    return session.scalar(free) is not None


def find_open_partitions(session: Session) -> list[StepRange]:
    """Return the partitions with a ready or running step, newest first; each is asked by itself, over an index."""
    return [steps for steps in list_ranges(session) if _has_open_step(session, steps)]


def _has_open_step(session: Session, steps: StepRange) -> bool:
    found = (exists().where(in_range(steps), is_open) for is_open in (IS_READY, IS_RUNNING))
    return bool(session.scalar(select(or_(*found))))


def has_restarted_within(session: Session, seconds: float) -> bool:
    """Return True if Postgres started within so many seconds: workers may not have been able to renew leases."""
    started = func.pg_postmaster_start_time()
    return bool(session.scalar(select(started > func.now() - timedelta(seconds=seconds))))


def record_stops(session: Session, workers: Sequence[str]) -> None:
    """Record the stop of dead worker processes."""
    session.execute(update(Worker).where(Worker.id.in_(workers)).values(stopped_at=func.now()))


def expire_leases_of(session: Session, steps: StepRange, workers: Sequence[str]) -> int:
    """Expire the leases of dead worker processes, and return their number."""
    changed = session.execute(
        update_steps()
        .where(
            in_range(steps),
            Step.lease_owner.in_(workers),
            IS_RUNNING,
            Step.lease_until > func.now(),
        )
        .values(lease_until=func.now() - timedelta(microseconds=1))
    )
    return affected_rows(changed)


def find_processes(session: Session, host: str) -> list[Worker]:
    """Return the workers of a host without a recorded stop."""
    return list(session.scalars(select(Worker).where(Worker.host == host, Worker.stopped_at.is_(None))))


def take_back_lost(session: Session, steps: StepRange) -> list[LostStep]:
    """Return steps with an expired lease to ready, each to run alone after an exponential backoff.

    Any of the steps that shared the dead worker may have killed it; running alone identifies the one
    (``step_updates.begin_alone``).
    """
    expired = (
        select(Step.id)
        .where(in_range(steps), IS_RUNNING, Step.lease_until < func.now())
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
            is_solo=True,
            lease_token=None,
            lease_until=None,
            available_at=func.now() + pause,
            dispatched_at=None,
        )
        .returning(Step.id, Step.job_id, Step.crashes, Step.lease_owner)
    )
    return [LostStep(row.id, row.job_id, row.crashes, row.lease_owner) for row in rows]


def dispatch_waiting(session: Session, steps: StepRange) -> list[StepMessage]:
    """Mark ready steps that have no message as dispatched, and return the messages to publish after the commit."""
    waiting = and_(IS_READY, Step.dispatched_at.is_(None), Step.available_at <= func.now())
    return _dispatch(session, steps, waiting)


def find_ready_queues(session: Session, steps: StepRange) -> list[str]:
    """Return the queues that have a ready step, by a loose index scan."""
    is_ready = and_(in_range(steps), IS_READY)
    first = select(func.min(Step.queue).label("queue")).where(is_ready).cte("queues", recursive=True)
    following = select(func.min(Step.queue)).where(is_ready, Step.queue > first.c.queue).scalar_subquery()
    queues = first.union_all(select(following).where(first.c.queue.is_not(None)))
    return list(session.scalars(select(queues.c.queue).where(queues.c.queue.is_not(None))))


def dispatch_forgotten(
    session: Session, steps: StepRange, empty: Sequence[tuple[str, int]], seconds: float
) -> list[StepMessage]:
    """Dispatch again the ready steps whose message must be lost, because the broker's list for it is empty.

    Args:
        session: holds the reclaim lock.
        steps: ids of the partition.
        empty: queues and priority levels whose list is empty.
        seconds: minimum age of the last dispatch.
    """
    lost = and_(tuple_(Step.queue, Step.priority).in_(empty), _is_dispatched_before(seconds))
    return _dispatch(session, steps, lost)


def dispatch_old(session: Session, steps: StepRange) -> list[StepMessage]:
    """Dispatch again a few steps whose message is old and may be lost, although its queue is not empty."""
    return _dispatch(session, steps, _is_dispatched_before(BUSY_REDISPATCH.total_seconds()), rows=BUSY_ROWS)


def _is_dispatched_before(seconds: float) -> ColumnElement[bool]:
    return and_(
        IS_READY,
        Step.dispatched_at < func.now() - timedelta(seconds=seconds),
        Step.available_at <= func.now(),
    )


def _dispatch(
    session: Session, steps: StepRange, chosen: ColumnElement[bool], *, rows: int = BATCH_ROWS
) -> list[StepMessage]:
    candidates: Select[UUID] = select(Step.id).where(in_range(steps), chosen)
    ids = candidates.order_by(Step.dispatched_at).limit(rows).with_for_update(skip_locked=True)
    sent = session.execute(
        update_steps()
        .where(in_range(steps), Step.id.in_(ids.scalar_subquery()))
        .values(dispatched_at=func.now(), dispatches=Step.dispatches + 1)
        .returning(*MESSAGE)
    )
    return [message_of(row) for row in sent]


def forget_dispatches(session: Session, partitions: Sequence[StepRange], loss: SuspectedLoss) -> int:
    """Mark ready steps as not dispatched: all, or those of the last seconds before a restart that kept the data."""
    latest = [] if loss.started is None else [_find_last_dispatch(session, part, loss.started) for part in partitions]
    since = max((found for found in latest if found is not None), default=None)
    is_sent = and_(IS_READY, Step.dispatched_at.is_not(None))
    if since is not None:
        is_sent = and_(is_sent, Step.dispatched_at > since - BROKER_LOSS_WINDOW)
    forgotten = 0
    for steps in partitions:
        sent = update_steps().where(in_range(steps), is_sent)
        forgotten += affected_rows(session.execute(sent.values(dispatched_at=None)))
    return forgotten


def _find_last_dispatch(session: Session, steps: StepRange, started: datetime) -> datetime | None:
    """Return the time of the last dispatch before the broker's process started."""
    earlier = and_(in_range(steps), IS_READY, Step.dispatched_at <= started - START_ERROR)
    return session.scalar(select(func.max(Step.dispatched_at)).where(earlier))


def find_cancelling(session: Session) -> list[UUID]:
    """Return open jobs that have a request to cancel."""
    return list(session.scalars(select(Job.id).where(Job.state.in_(OPEN_STATES), Job.cancel_requested_at.is_not(None))))


def find_stuck(session: Session) -> list[UUID]:
    """Return open jobs without a ready or running step; one means that an invariant is broken."""
    can_move = of_job(Job.id) & Step.state.in_((StepState.READY, StepState.RUNNING))
    # The limit makes Postgres ask job by job, each in the partition of its steps.
    moving = select(Step.id.label("step_id")).where(can_move).limit(1).lateral()
    jobs = select(Job.id).outerjoin(moving, true()).where(Job.state.in_(OPEN_STATES), moving.c.step_id.is_(None))
    return list(session.scalars(jobs))


def finish_cancel(session: Session, job_id: UUID) -> bool:
    """Cancel a job that has a request to cancel; return False if it has none or a step still runs."""
    job = lock_job(session, job_id)
    if job is None or job.state not in OPEN_STATES or job.cancel_requested_at is None:
        return False
    session.execute(
        update_steps()
        .where(of_job(job_id), IS_READY)
        .values(state=StepState.CANCELLED, finished_at=func.clock_timestamp())
    )
    # Queried after the update, which waits for uncommitted claims; an earlier query would miss them.
    if session.scalar(select(exists().where(of_job(job_id), IS_RUNNING))):
        return False
    end_job(job, JobState.CANCELLED, reason="cancelled by request")
    return True
