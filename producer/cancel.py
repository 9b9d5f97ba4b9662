"""Cancels jobs: waiting steps never start, running steps are aborted at their worker's next heartbeat.

A job with a summary keeps it; only the waiting steps of its check are cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from models.checks import cancel_check, is_being_checked
from models.job import OPEN_STATES, Job
from models.lookup import Target, is_in_target
from models.recovery import finish_cancel


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Numbers of jobs by the effect of a request to cancel.

    Args:
        ended: jobs cancelled at once.
        ending: jobs with a running step; its worker cancels them within a heartbeat.
        already: jobs that had ended before.
        checks: those of ``already`` whose check is cancelled; its running step, if any, completes.
    """

    ended: int
    ending: int
    already: int
    checks: int


def cancel_jobs(database: Engine, target: Target, *, total: int) -> Cancellation:
    """Cancel a job, or every open job of a batch.

    Args:
        database: the results database.
        target: job or batch.
        total: number of jobs in the target.
    """
    with Session(database) as session, session.begin():
        asked = _mark_cancelling(session, target)
        checked = session.scalars(select(Job.id).where(is_in_target(target), is_being_checked()).order_by(Job.id)).all()
    # One short transaction a job: a batch of any size holds no lock for long.
    ended = sum(_finish_cancel(database, job) for job in asked)
    checks = sum(_cancel_check(database, job) for job in checked)
    return Cancellation(ended=ended, ending=len(asked) - ended, already=total - len(asked), checks=checks)


def _mark_cancelling(session: Session, target: Target) -> Sequence[UUID]:
    return session.scalars(
        update(Job)
        .where(is_in_target(target), Job.state.in_(OPEN_STATES))
        .values(cancel_requested_at=func.coalesce(Job.cancel_requested_at, func.now()))
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()


def _finish_cancel(database: Engine, job: UUID) -> bool:
    with Session(database) as session, session.begin():
        return finish_cancel(session, job)


def _cancel_check(database: Engine, job: UUID) -> bool:
    with Session(database) as session, session.begin():
        return cancel_check(session, job)
