"""Speed of a batch, and an estimate of its remaining engine calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Integer, case, func, select
from sqlalchemy.orm import Session

from models.job import Job, JobState
from models.step import Step, StepKind, StepState, of_job
from models.views import BatchProgress

# Window of the measurement: long enough for a few steps on a CPU, short enough to follow changes.
WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Speed:
    """Rates over the last minutes."""

    tokens_per_second: float
    calls_per_second: float


def measure_speed(session: Session, batch_id: UUID) -> Speed | None:
    """Return a batch's speed, None if no step of it finished in the last minutes."""
    calls = (
        select(
            func.coalesce(func.sum(Step.completion_tokens), 0),
            func.count(),
            func.extract("epoch", func.least(WINDOW, func.now() - func.min(Step.started_at))),
        )
        .join(Job, of_job(Job.id))
        .where(
            Job.batch_id == batch_id,
            # Plans, checks and quotations generate nothing.
            Step.completion_tokens.is_not(None),
            Step.state == StepState.DONE,
            Step.cached_from.is_(None),
            Step.finished_at > func.now() - WINDOW,
        )
    )
    tokens, count, seconds = session.execute(calls).one()
    if not tokens or not seconds:
        return None
    return Speed(tokens / float(seconds), count / float(seconds))


def count_remaining_calls(session: Session, progress: BatchProgress) -> float:
    """Estimate the remaining calls: the rest of running jobs, the mean of planned jobs per queued job, and checks."""
    calls = Job.plan["chunks"].astext.cast(Integer) + case((Job.strategy == "map-reduce", 1), else_=0)
    planned = select(func.avg(calls), func.sum(calls).filter(Job.state == JobState.RUNNING)).where(
        Job.batch_id == progress.batch_id, Job.plan.is_not(None)
    )
    per_job, of_running = session.execute(planned).one()
    ended = (
        select(func.count())
        .select_from(Step)
        .join(Job, of_job(Job.id))
        .where(
            Job.batch_id == progress.batch_id,
            Job.state == JobState.RUNNING,
            Step.kind != StepKind.PLAN,
            Step.state.in_((StepState.DONE, StepState.FAILED)),
        )
    )
    running = (of_running or 0) - session.execute(ended).scalar_one()
    # The plan does not count collapse steps: assume at least one more call per running job.
    return max(float(running), progress.running) + progress.queued * float(per_job or 1) + progress.being_checked
