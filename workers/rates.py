"""How fast weights read and write, for the time that a plan says: what was measured of them, or else what is usual."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.errors import SettingsError, UnreachableError
from models.job import Job
from models.settings import Settings
from models.step import Step, StepKind, StepState
from workers.database import open_transaction

# Tokens per second of the packaged weights on two cores (docs/performance.md): read, and written by one request.
USUAL_PROMPT_RATE = 1000.0
USUAL_COMPLETION_RATE = 10.0
# Jobs that are measured, the latest first: enough for a mean, few enough to follow a change of machine.
MEASURED_JOBS = 20


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a worker is.

    Args:
        prompt: prompt tokens read per second.
        completion: tokens per second that each request writes.
        origin: where the numbers come from, in words for people.
    """

    prompt: float
    completion: float
    origin: str


USUAL_RATES = Rates(USUAL_PROMPT_RATE, USUAL_COMPLETION_RATE, "as the packaged weights on two cores")


def find_rates(settings: Settings, weights: str) -> Rates:
    """Return the rates of the weights of a name; those that are usual where no database tells them."""
    try:
        with open_transaction(settings) as session:
            return measure_rates(session, weights) or USUAL_RATES
    except (SettingsError, UnreachableError):
        return USUAL_RATES


def measure_rates(session: Session, weights: str) -> Rates | None:
    """Return what the latest steps of these weights say, None if there are none.

    Reading and writing are timed together: their usual rates are made as much faster or slower as the steps were.
    """
    started = select(Job.id).where(Job.weights == weights, Job.started_at.is_not(None))
    latest = started.order_by(Job.started_at.desc()).limit(MEASURED_JOBS)
    measured = select(
        func.count(), func.sum(Step.prompt_tokens), func.sum(Step.completion_tokens), func.sum(Step.seconds)
    ).where(
        Step.job_id.in_(latest),
        Step.state == StepState.DONE,
        Step.kind.not_in((StepKind.PLAN, StepKind.EVALUATE)),
        Step.cached_from.is_(None),
    )
    calls, read, written, seconds = session.execute(measured).one()
    if not (read and written and seconds):
        return None
    speed = (read / USUAL_PROMPT_RATE + written / USUAL_COMPLETION_RATE) / seconds
    origin = f"as the latest {calls:,} calls of weights {weights}"
    return Rates(USUAL_PROMPT_RATE * speed, USUAL_COMPLETION_RATE * speed, origin)
