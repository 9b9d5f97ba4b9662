"""Checks in SQL: the evaluate steps of jobs that have their summary.

A check never holds a summary back: its step comes after the job has ended, and so does a second try that it asks for.
A job is *being checked* as long as it has its summary and a step that is not final.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.base import Json
from models.job import SUMMARIZED_STATES, Job
from models.outbox import NewStep, add_steps, describe_steps, restart_steps
from models.queues import StepMessage
from models.step import Step, StepKind, StepState
from models.step_updates import lock_job, update_steps

# The round of a second try; the first summary has round 0.
SECOND_ROUND = 1
OPEN_STEPS = (StepState.READY, StepState.RUNNING)


def request_check(session: Session, job: Job, *, round_number: int = 0, reads: Json | None = None) -> list[StepMessage]:
    """Create the step that checks a summary.

    Args:
        session: with the job's row locked; the caller rings after its commit.
        job: whose summary.
        round_number: the round that the summary comes from.
        reads: the step whose output is the summary; None for the job's own.
    """
    inputs = () if reads is None else (reads,)
    return add_steps(session, job, [NewStep(StepKind.EVALUATE, 0, 0, inputs, round_number)])


def request_missing_check(session: Session, job_id: UUID) -> list[StepMessage]:
    """Check a job that has a summary and no check, or one that failed or was called off; the caller rings."""
    job = lock_job(session, job_id)
    if job.state not in SUMMARIZED_STATES:
        return []
    poor = select(Step.id).where(
        Step.job_id == job_id,
        Step.kind == StepKind.EVALUATE,
        Step.round == job.round,
        Step.state.in_((StepState.FAILED, StepState.CANCELLED)),
    )
    again = session.scalars(poor).all()
    if not again:
        return request_check(session, job, round_number=job.round)
    # The second try that was called off with the check may follow it again.
    is_next = and_(Step.job_id == job_id, Step.round > job.round, Step.kind == StepKind.EVALUATE)
    session.execute(delete(Step).where(is_next, Step.state == StepState.CANCELLED))
    return restart_steps(session, again)


def is_being_checked() -> ColumnElement[bool]:
    """Return the SQL condition that a job has its summary and a step that is not final."""
    is_at_work = exists().where(Step.job_id == Job.id, Step.state.in_(OPEN_STEPS))
    return and_(Job.state.in_(SUMMARIZED_STATES), is_at_work)


def find_summarized(session: Session, batch_id: UUID, job_id: UUID | None = None) -> list[UUID]:
    """Return the jobs of a batch, or that one alone, that have a summary."""
    return list(session.scalars(_select_summarized(batch_id, job_id)))


def find_unchecked(session: Session, batch_id: UUID, job_id: UUID | None = None) -> list[UUID]:
    """Return the jobs of a batch, or that one alone, that have a summary and no check that is done or under way."""
    is_checked = exists().where(
        Step.job_id == Job.id, Step.kind == StepKind.EVALUATE, Step.state.in_((*OPEN_STEPS, StepState.DONE))
    )
    return list(session.scalars(_select_summarized(batch_id, job_id).where(~is_checked, ~is_being_checked())))


def _select_summarized(batch_id: UUID, job_id: UUID | None) -> Select[UUID]:
    chosen = select(Job.id).where(Job.batch_id == batch_id, Job.state.in_(SUMMARIZED_STATES)).order_by(Job.id)
    return chosen if job_id is None else chosen.where(Job.id == job_id)


def is_check_cancelled(session: Session, job_id: UUID, round_number: int) -> bool:
    """Tell whether nothing more is to be done in a round."""
    is_off = exists().where(
        Step.job_id == job_id,
        Step.round == round_number,
        Step.kind == StepKind.EVALUATE,
        Step.state == StepState.CANCELLED,
    )
    return bool(session.scalar(select(is_off)))


def cancel_check(session: Session, job_id: UUID) -> bool:
    """Take back what of a job's check has not begun, and the second try that it may ask for; the summary stays.

    A step that runs ends by itself: producers may not write to a job that has its summary, so nothing could tell it.
    """
    job = lock_job(session, job_id)
    if job.state not in SUMMARIZED_STATES:
        return False
    is_open = and_(Step.job_id == job_id, Step.state.in_(OPEN_STEPS))
    if not session.scalar(select(exists().where(is_open))):
        return False
    now = func.clock_timestamp()
    waiting = update_steps().where(Step.job_id == job_id, Step.state == StepState.READY)
    session.execute(waiting.values(state=StepState.CANCELLED, finished_at=now))
    # The last step of a second try stands for all of it: the flow creates none of the others once it is cancelled.
    [last] = describe_steps(job, [NewStep(StepKind.EVALUATE, 0, 0, round=SECOND_ROUND)])
    cancelled = {**last, "state": StepState.CANCELLED, "dispatches": 0}
    session.execute(upsert(Step).values(**cancelled, finished_at=now).on_conflict_do_nothing())
    return True
