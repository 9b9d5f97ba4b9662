"""Deletion of whole months: the partition of a month's steps is dropped if no job of that month stays.

This frees the disk at once, where a deletion row by row leaves a table to vacuum. The jobs, which have no steps then,
are deleted in blocks afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Uuid, exists, func, select, update
from sqlalchemy.orm import Session

from models.job import Job
from models.partitions import StepRange, list_ranges, month_of
from models.step import Step, in_range
from models.tables import Deletion

# The clock of a producer may be behind: a month is over after this.
MAX_CLOCK_ERROR = timedelta(days=1)
DROP = "drop_step_partition(integer, timestamptz)"


def drop_months(engine: Engine, deletion_id: UUID, is_old: ColumnElement[bool]) -> None:
    """Drop the steps of the past months of which no job stays.

    A month whose table is in use, or whose job has just been retried, keeps its rows: the blocks delete them.

    Args:
        engine: of the results database.
        deletion_id: the deletion, which counts the steps.
        is_old: SQL condition that a job ended long enough ago; the function finds those that are at work again.
    """
    this_month = month_of(datetime.now(UTC) - MAX_CLOCK_ERROR)
    with Session(engine) as session:
        if not session.scalar(select(func.has_function_privilege(DROP, "EXECUTE"))):
            return
        ranges = [steps for steps in list_ranges(session) if (steps.month or this_month) < this_month]
    for steps in ranges:
        with Session(engine) as session, session.begin():
            _drop_month(session, deletion_id, steps, is_old)


def _drop_month(session: Session, deletion_id: UUID, steps: StepRange, is_old: ColumnElement[bool]) -> None:
    checked_at = session.scalar(select(func.clock_timestamp()))
    is_of_month = func.first_step_id(Job.id, type_=Uuid()) == steps.first
    if session.scalar(select(exists().where(is_of_month, is_old.is_not(True)))):
        return
    count = session.scalar(select(func.count()).select_from(Step).where(in_range(steps))) or 0
    if session.scalar(select(func.drop_step_partition(steps.month, checked_at))):
        counted = update(Deletion).where(Deletion.id == deletion_id).values(steps=Deletion.steps + count)
        session.execute(counted.execution_options(synchronize_session=False))
