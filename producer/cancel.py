"""Stops jobs: nothing of them begins any more, what runs is given up within seconds, what is finished stays.

A job that has its summary is finished; of its check, what has not begun is called off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, func, select, update
from sqlalchemy.orm import Session

from models.checks import cancel_check, is_being_checked
from models.job import OPEN_STATES, Job
from models.lookup import Target
from models.recovery import finish_cancel


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of a request to cancel.

    Args:
        ended: jobs that are cancelled now.
        ending: jobs with a step that still runs; its worker ends them within a heartbeat.
        already: jobs that had ended before.
        checks: those of them whose check is called off; a step of it that runs ends by itself.
    """

    ended: int
    ending: int
    already: int
    checks: int


def cancel_jobs(database: Engine, target: Target, *, total: int) -> Cancellation:
    """Cancel a job, or every open job of a batch.

    Args:
        database: the results database.
        target: the job or batch.
        total: number of jobs that it stands for.
    """
    with Session(database) as session, session.begin():
        asked = _request(session, target)
        checked = session.scalars(select(Job.id).where(_is_meant(target), is_being_checked()).order_by(Job.id)).all()
    # One short transaction each: a batch of any size holds no lock for long.
    ended = sum(_finish(database, job) for job in asked)
    checks = sum(_cancel_check(database, job) for job in checked)
    return Cancellation(ended=ended, ending=len(asked) - ended, already=total - len(asked), checks=checks)


def _is_meant(target: Target) -> ColumnElement[bool]:
    return Job.batch_id == target.batch_id if target.job_id is None else Job.id == target.job_id


def _request(session: Session, target: Target) -> Sequence[UUID]:
    return session.scalars(
        update(Job)
        .where(_is_meant(target), Job.state.in_(OPEN_STATES))
        .values(cancel_requested_at=func.coalesce(Job.cancel_requested_at, func.now()))
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()


def _finish(database: Engine, job: UUID) -> bool:
    with Session(database) as session, session.begin():
        return finish_cancel(session, job)


def _cancel_check(database: Engine, job: UUID) -> bool:
    with Session(database) as session, session.begin():
        return cancel_check(session, job)
