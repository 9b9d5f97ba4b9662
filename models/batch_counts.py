"""Batches with their jobs counted by state: what a list of batches shows, without the sums over all their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from models.job import SUMMARIZED_STATES, Job, JobState
from models.step import Step, StepState, of_job
from models.tables import Batch

# Counts of a batch without jobs.
NO_JOBS = dict.fromkeys(("jobs", "need_review", *(state.value for state in JobState)), 0)


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """One batch and the numbers of its jobs."""

    batch_id: UUID
    batch: str
    created_at: datetime
    jobs: int
    queued: int
    running: int
    succeeded: int
    partial: int
    failed: int
    cancelled: int
    need_review: int
    being_checked: int

    @property
    def is_over(self) -> bool:
        """True if every job and its check have ended."""
        return not (self.queued or self.running or self.being_checked)


def count_batches(session: Session, *, limit: int, after: tuple[datetime, UUID] | None = None) -> list[BatchCounts]:
    """Return the latest batches, newest first; with ``after`` those that follow a batch of that time and id."""
    statement = select(Batch.id, Batch.name, Batch.created_at).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(Batch.created_at, Batch.id) < tuple_(*after))
    batches = session.execute(statement.order_by(Batch.created_at.desc(), Batch.id.desc())).all()
    ids = [batch.id for batch in batches]
    jobs, checked = _count_jobs(session, ids), _count_checked(session, ids)
    return [
        BatchCounts(
            batch_id=batch.id,
            batch=batch.name,
            created_at=batch.created_at,
            being_checked=checked.get(batch.id, 0),
            **jobs.get(batch.id, NO_JOBS),
        )
        for batch in batches
    ]


def _count_jobs(session: Session, batches: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    states = [func.count().filter(Job.state == state).label(state.value) for state in JobState]
    columns = select(Job.batch_id, func.count().label("jobs"), func.count(Job.review).label("need_review"), *states)
    rows = session.execute(columns.where(Job.batch_id.in_(batches)).group_by(Job.batch_id))
    return {row.batch_id: {name: row._mapping[name] for name in NO_JOBS} for row in rows}


def _count_checked(session: Session, batches: Sequence[UUID]) -> dict[UUID, int]:
    """Count the summaries that are being checked; the open steps have indexes of their own."""
    counts = (
        select(Job.batch_id, func.count(Job.id.distinct()))
        .join(Step, of_job(Job.id))
        .where(
            Step.state.in_((StepState.READY, StepState.RUNNING)),
            Job.state.in_(SUMMARIZED_STATES),
            Job.batch_id.in_(batches),
        )
        .group_by(Job.batch_id)
    )
    return {row[0]: row[1] for row in session.execute(counts)}
