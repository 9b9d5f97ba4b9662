"""Snapshots of a running batch: progress, steps by strategy, speed, failures and workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from models.job import OPEN_STATES, Job, JobState
from models.lookup import list_live_workers, read_batch
from models.registry import describe_served
from models.step import Step, StepKind, StepState, of_job
from models.views import BatchProgress
from producer.speed import count_remaining_calls, measure_speed

# Failures that fit a screen.
SHOWN_FAILURES = 5


@dataclass(frozen=True, slots=True)
class StepCount:
    """The steps of one kind in the jobs of one strategy."""

    strategy: str
    kind: str
    ready: int
    running: int
    done: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that is partial, failed or in need of review, with the reasons."""

    job_id: UUID
    source: str
    state: str
    reason: str | None
    review: str | None

    @property
    def words(self) -> str:
        """All reasons, joined."""
        review = f"needs review: {self.review}" if self.review else None
        return "; ".join(filter(None, (self.reason, review)))


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    """A live worker, the weights it serves, by name and in words, and the number of steps it runs."""

    node: str
    device: str
    weights: str
    served_weights: str
    running: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A batch at one moment.

    Args:
        taken_at: time by the clock of Postgres.
        progress: its jobs and steps by state.
        steps: its steps by strategy and kind.
        tokens_per_second: tokens generated for this batch in the last minutes; None if none were.
        seconds_left: estimate from that speed; None without one.
        failures: the latest jobs that are partial, failed or in need of review.
        poor_jobs: number of all such jobs.
        workers: all live workers.
        unserved: weights that open jobs and checks need and no live worker serves.
        ended_at: end of the last step, that of a check included; None before.
        seconds: in which it had open steps, from the start of the first one; a check that was ordered later adds its
            own. None before its end.
    """

    taken_at: datetime
    progress: BatchProgress
    steps: tuple[StepCount, ...]
    tokens_per_second: float | None
    seconds_left: float | None
    failures: tuple[Failure, ...]
    poor_jobs: int
    workers: tuple[WorkerLoad, ...]
    unserved: tuple[str, ...]
    ended_at: datetime | None
    seconds: float | None

    @property
    def hidden_failures(self) -> int:
        """Number of such jobs beyond those in ``failures``."""
        return self.poor_jobs - len(self.failures)


@dataclass(frozen=True, slots=True)
class BatchPace:
    """A batch's progress with its speed: the part of a snapshot that takes no list of jobs or steps.

    Args:
        progress: its jobs and steps by state.
        tokens_per_second: tokens generated for this batch in the last minutes; None if none were.
        seconds_left: estimate from that speed; None without one.
        workers: all live workers.
        unserved: weights that open jobs and checks need and no live worker serves.
    """

    progress: BatchProgress
    tokens_per_second: float | None
    seconds_left: float | None
    workers: tuple[WorkerLoad, ...]
    unserved: tuple[str, ...]


def read_pace(session: Session, batch_id: UUID) -> BatchPace:
    """Return the progress of a batch with its speed."""
    progress = read_batch(session, batch_id)
    speed = None if progress.is_over else measure_speed(session, batch_id)
    workers = list_loads(session)
    return BatchPace(
        progress=progress,
        tokens_per_second=speed.tokens_per_second if speed else None,
        seconds_left=count_remaining_calls(session, progress) / speed.calls_per_second if speed else None,
        workers=tuple(workers),
        unserved=() if progress.is_over else tuple(find_unserved(session, batch_id, workers)),
    )


def take_snapshot(session: Session, batch_id: UUID) -> Snapshot:
    """Return the present state of a batch."""
    pace = read_pace(session, batch_id)
    return Snapshot(
        taken_at=session.execute(select(func.now())).scalar_one(),
        progress=pace.progress,
        steps=tuple(count_steps(session, batch_id)),
        tokens_per_second=pace.tokens_per_second,
        seconds_left=pace.seconds_left,
        failures=tuple(list_failures(session, batch_id)),
        poor_jobs=count_poor_jobs(session, batch_id),
        workers=pace.workers,
        unserved=pace.unserved,
        ended_at=find_end(session, batch_id) if pace.progress.is_over else None,
        seconds=measure_work(session, batch_id) if pace.progress.is_over else None,
    )


def find_end(session: Session, batch_id: UUID) -> datetime | None:
    """Return the end of the last step of a batch: checks and second tries come after the end of their job."""
    last = select(func.max(Step.finished_at)).join(Job, of_job(Job.id)).where(Job.batch_id == batch_id)
    return session.scalar(last)


def measure_work(session: Session, batch_id: UUID) -> float | None:
    """Return the seconds in which a batch had open steps, from the start of its first one; None if none has started."""
    started = select(func.min(Step.started_at)).join(Job, of_job(Job.id)).where(Job.batch_id == batch_id)
    begun = started.scalar_subquery()
    spans = (
        select(func.unnest(func.range_agg(func.tstzrange(func.greatest(Step.created_at, begun), Step.finished_at))))
        .join(Job, of_job(Job.id))
        .where(Job.batch_id == batch_id, Step.finished_at > func.greatest(Step.created_at, begun))
    )
    span = spans.subquery().columns[0]
    seconds = session.scalar(select(func.sum(func.extract("epoch", func.upper(span) - func.lower(span)))))
    return None if seconds is None else float(seconds)


def count_steps(session: Session, batch_id: UUID) -> list[StepCount]:
    """Count the steps of a batch by strategy and kind; an unplanned job has only its plan step."""
    counts = [func.count().filter(Step.state == state).label(state.value) for state in StepState]
    strategy = func.coalesce(Job.strategy, "auto").label("strategy")
    rows = session.execute(
        select(strategy, Step.kind, *counts)
        .join(Job, of_job(Job.id))
        .where(Job.batch_id == batch_id)
        .group_by(strategy, Step.kind)
        .order_by(strategy, func.min(Step.created_at), Step.kind)
    )
    return [StepCount(**row._mapping) for row in rows]


def list_failures(session: Session, batch_id: UUID, *, limit: int = SHOWN_FAILURES) -> list[Failure]:
    """Return the latest jobs that are partial, failed or in need of review."""
    rows = session.execute(
        select(Job.id.label("job_id"), Job.source, Job.state, Job.reason, Job.review)
        .where(Job.batch_id == batch_id, _is_incomplete())
        .order_by(Job.finished_at.desc())
        .limit(limit)
    )
    return [Failure(**row._mapping) for row in rows]


def count_poor_jobs(session: Session, batch_id: UUID) -> int:
    """Count the jobs that are partial, failed or in need of review."""
    statement = select(func.count()).select_from(Job).where(Job.batch_id == batch_id, _is_incomplete())
    return session.execute(statement).scalar_one()


def _is_incomplete() -> ColumnElement[bool]:
    return or_(Job.state.in_((JobState.PARTIAL, JobState.FAILED)), Job.review.is_not(None))


def list_loads(session: Session) -> list[WorkerLoad]:
    """Return every live worker with the number of steps it runs."""
    counts = select(Step.lease_owner, func.count()).where(Step.state == StepState.RUNNING).group_by(Step.lease_owner)
    running = dict(session.execute(counts).all())
    return [
        WorkerLoad(worker.node, worker.device, worker.weights, describe_served(worker), running.get(worker.id, 0))
        for worker in list_live_workers(session)
    ]


def find_unserved(session: Session, batch_id: UUID, workers: Sequence[WorkerLoad]) -> list[str]:
    """Return the weights that open jobs and checks of a batch need and no worker serves."""
    waiting = select(Step.job_id).where(
        of_job(Job.id), Step.kind == StepKind.EVALUATE, Step.state.in_((StepState.READY, StepState.RUNNING))
    )
    asked = select(Job.weights).where(Job.batch_id == batch_id, or_(Job.state.in_(OPEN_STATES), waiting.exists()))
    served = {worker.weights for worker in workers}
    return sorted(name for name in session.scalars(asked.distinct()) if name not in served)
