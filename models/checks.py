"""Queries about checks: the evaluate steps of jobs that have a summary.

A check never delays a summary: its step starts after the job has ended, and so does the second try it may request.
A job is *being checked* while it has a summary and a step that is not final.
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
from models.step import Step, StepKind, StepState, of_job
from models.step_updates import lock_job, update_steps

# Round of the second try; the first summary has round 0.
SECOND_ROUND = 1
OPEN_STEPS = (StepState.READY, StepState.RUNNING)


def request_check(session: Session, job: Job, *, round_number: int = 0, reads: Json | None = None) -> list[StepMessage]:
    """Create the step that checks a summary.

    Args:
        session: holds a lock on the job's row; the caller publishes the messages after its commit.
        job: the job with the summary.
        round_number: round of the steps that made the summary.
        reads: place of the step whose output is the summary; None for the job's stored summary.
    """
    inputs = () if reads is None else (reads,)
    return add_steps(session, job, [NewStep(StepKind.EVALUATE, 0, 0, inputs, round_number)])


def request_missing_check(session: Session, job_id: UUID) -> list[StepMessage]:
    """Create or restart the check of a job with a summary, unless it is done or under way; the caller publishes.

    A structured summary has none: the check measures prose.
    """
    job = lock_job(session, job_id)
    if job is None or job.state not in SUMMARIZED_STATES or job.data is not None:
        return []
    poor = select(Step.id).where(
        of_job(job_id),
        Step.kind == StepKind.EVALUATE,
        Step.round == job.round,
        Step.state.in_((StepState.FAILED, StepState.CANCELLED)),
    )
    again = session.scalars(poor).all()
    if not again:
        return request_check(session, job, round_number=job.round)
    # The second try that was cancelled with the check may follow it again.
    is_next = and_(of_job(job_id), Step.round > job.round, Step.kind == StepKind.EVALUATE)
    session.execute(delete(Step).where(is_next, Step.state == StepState.CANCELLED))
    return restart_steps(session, again)


def is_being_checked() -> ColumnElement[bool]:
    """Return the SQL condition that a job has a summary and a step that is not final."""
    has_open_step = exists().where(of_job(Job.id), Step.state.in_(OPEN_STEPS))
    return and_(Job.state.in_(SUMMARIZED_STATES), has_open_step)


def find_summarized(session: Session, batch_id: UUID, job_id: UUID | None = None) -> list[UUID]:
    """Return the jobs with a summary, of a batch or of one job alone."""
    return list(session.scalars(_select_summarized(batch_id, job_id)))


def find_unchecked(session: Session, batch_id: UUID, job_id: UUID | None = None) -> list[UUID]:
    """Return the jobs with a summary whose check is neither done nor under way, of a batch or of one job alone."""
    is_checked = exists().where(
        of_job(Job.id), Step.kind == StepKind.EVALUATE, Step.state.in_((*OPEN_STEPS, StepState.DONE))
    )
    return list(session.scalars(_select_summarized(batch_id, job_id).where(~is_checked, ~is_being_checked())))


def _select_summarized(batch_id: UUID, job_id: UUID | None) -> Select[UUID]:
    chosen = select(Job.id).where(Job.batch_id == batch_id, Job.state.in_(SUMMARIZED_STATES)).order_by(Job.id)
    return chosen if job_id is None else chosen.where(Job.id == job_id)


def is_check_cancelled(session: Session, job_id: UUID, round_number: int) -> bool:
    """Return True if the check of a round was cancelled."""
    is_cancelled = exists().where(
        of_job(job_id),
        Step.round == round_number,
        Step.kind == StepKind.EVALUATE,
        Step.state == StepState.CANCELLED,
    )
    return bool(session.scalar(select(is_cancelled)))


def cancel_check(session: Session, job_id: UUID) -> bool:
    """Cancel the waiting steps of a job's check and the second try it may request; return False if it has none.

    A running step completes: producers have no right to update a job with a summary, so they cannot signal it.
    """
    job = lock_job(session, job_id)
    if job is None or job.state not in SUMMARIZED_STATES:
        return False
    is_open = and_(of_job(job_id), Step.state.in_(OPEN_STEPS))
    if not session.scalar(select(exists().where(is_open))):
        return False
    now = func.clock_timestamp()
    waiting = update_steps().where(of_job(job_id), Step.state == StepState.READY)
    session.execute(waiting.values(state=StepState.CANCELLED, finished_at=now))
    # A cancelled last step cancels the whole second try: ``add_wave`` then creates none of its other steps.
    [last] = describe_steps(job, [NewStep(StepKind.EVALUATE, 0, 0, round=SECOND_ROUND)])
    cancelled = {**last, "state": StepState.CANCELLED, "dispatches": 0}
    session.execute(upsert(Step).values(**cancelled, finished_at=now).on_conflict_do_nothing())
    return True
