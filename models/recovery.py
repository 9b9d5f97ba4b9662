"""What the rescue asks of Postgres: steps whose worker died, steps whose message may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.broker_state import SuspectedLoss
from models.job import OPEN_STATES, Job, JobState
from models.outbox import message_of
from models.queues import StepMessage
from models.step import AttemptOutcome, Step, StepState
from models.step_updates import affected_rows, end_job, lock_job, record_attempt, update_steps
from models.tables import ClusterFact, Worker

# The fact whose row is locked: one rescue at a time.
RECLAIM_LOCK = "rescue"
# Rows per statement: a pass over a great loss stays short, the next one goes on.
BATCH_ROWS = 1_000
# A broker that keeps its data says that it has a message before that is on its disk: what it was sent in this time
# before it died may be gone, ...
BROKER_LOSS_WINDOW = timedelta(seconds=10)
# ... and its uptime, in whole seconds, says this exactly when it was started.
START_ERROR = timedelta(seconds=3)
# Pauses between crashes of one step, in seconds: 1, 2, 4, ... up to this.
MAX_BACKOFF_SECONDS = 60
# Behind other messages a step may wait for hours; after this long its message is sent again in case it was lost, ...
BUSY_REDISPATCH = timedelta(minutes=10)
# ... so few per pass that a long queue is not filled with duplicates.
BUSY_ROWS = 100


@dataclass(frozen=True, slots=True)
class LostStep:
    """A step whose lease ran out."""

    step_id: UUID
    job_id: UUID
    crashes: int
    worker: str | None


def try_reclaim_lock(session: Session) -> bool:
    """Take the rescue's lock until the transaction ends; False if another process has it.

    An advisory lock could be taken by anybody who may connect, a row's only by whoever may write to it.
    """
    # Only the first pass in the life of a cluster makes the row, and others wait for it.
    row = upsert(ClusterFact).values(name=RECLAIM_LOCK, value="one at a time")
    session.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    free = select(ClusterFact.name).where(ClusterFact.name == RECLAIM_LOCK).with_for_update(skip_locked=True)
    return session.scalar(free) is not None


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
    """Make steps ready again whose lease ran out; each runs alone from now on, after a growing pause.

    Nobody can tell which of the steps of a dead worker killed it; running alone does (``step_updates.begin_alone``).
    """
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
            is_solo=True,
            lease_token=None,
            lease_until=None,
            available_at=func.now() + pause,
            dispatched_at=None,
        )
        .returning(Step.id, Step.job_id, Step.crashes, Step.lease_owner)
    )
    return [LostStep(row.id, row.job_id, row.crashes, row.lease_owner) for row in rows]


def dispatch_waiting(session: Session) -> list[StepMessage]:
    """Mark ready steps whose message was never sent as sent, for the caller to ring."""
    waiting = select(Step.id).where(
        Step.state == StepState.READY, Step.dispatched_at.is_(None), Step.available_at <= func.now()
    )
    return _dispatch(session, waiting)


def find_ready_queues(session: Session) -> list[str]:
    """Return the queues that have a ready step, without reading all of them."""
    is_ready = Step.state == StepState.READY
    first = select(func.min(Step.queue).label("queue")).where(is_ready).cte("queues", recursive=True)
    following = select(func.min(Step.queue)).where(is_ready, Step.queue > first.c.queue).scalar_subquery()
    queues = first.union_all(select(following).where(first.c.queue.is_not(None)))
    return list(session.scalars(select(queues.c.queue).where(queues.c.queue.is_not(None))))


def dispatch_forgotten(session: Session, empty: Sequence[tuple[str, int]], seconds: float) -> list[StepMessage]:
    """Send again what was sent that long ago and is not on the broker: its queue is empty at its level."""
    forgotten = select(Step.id).where(tuple_(Step.queue, Step.priority).in_(empty), _was_sent_before(seconds))
    return _dispatch(session, forgotten)


def dispatch_old(session: Session) -> list[StepMessage]:
    """Send a few again whose messages may be lost behind others that wait."""
    return _dispatch(session, select(Step.id).where(_was_sent_before(BUSY_REDISPATCH.total_seconds())), rows=BUSY_ROWS)


def _was_sent_before(seconds: float) -> ColumnElement[bool]:
    return and_(
        Step.state == StepState.READY,
        Step.dispatched_at < func.now() - timedelta(seconds=seconds),
        Step.available_at <= func.now(),
    )


def _dispatch(session: Session, steps: Select[UUID], *, rows: int = BATCH_ROWS) -> list[StepMessage]:
    ids = steps.order_by(Step.dispatched_at).limit(rows).with_for_update(skip_locked=True)
    sent = session.execute(
        update_steps()
        .where(Step.id.in_(ids.scalar_subquery()))
        .values(dispatched_at=func.now(), dispatches=Step.dispatches + 1)
        .returning(Step.id, Step.kind, Step.queue, Step.priority)
    )
    return [message_of(row) for row in sent]


def forget_dispatches(session: Session, loss: SuspectedLoss) -> int:
    """Treat ready steps as never sent: all, or the last before the broker was started again with what it kept."""
    sent = update_steps().where(Step.state == StepState.READY, Step.dispatched_at.is_not(None))
    if loss.started is not None:
        sent = sent.where(Step.dispatched_at > _find_last_dispatch(loss.started) - BROKER_LOSS_WINDOW)
    return affected_rows(session.execute(sent.values(dispatched_at=None)))


def _find_last_dispatch(started: datetime) -> ColumnElement[datetime]:
    """Return when a ready step was last sent to a process before the one that was started then."""
    earlier = and_(Step.state == StepState.READY, Step.dispatched_at <= started - START_ERROR)
    last = select(func.max(Step.dispatched_at)).where(earlier).scalar_subquery()
    return func.coalesce(last, text("'-infinity'::timestamptz"))


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
    session.execute(
        update_steps()
        .where(Step.job_id == job_id, Step.state == StepState.READY)
        .values(state=StepState.CANCELLED, finished_at=func.clock_timestamp())
    )
    # Asked afterwards: the update waits for a claim that is about to commit, an earlier look would miss it.
    if session.scalar(select(exists().where(Step.job_id == job_id, Step.state == StepState.RUNNING))):
        return False
    end_job(job, JobState.CANCELLED, reason="cancelled by request")
    return True
