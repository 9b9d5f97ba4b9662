"""Transactional outbox of step messages: a ready row of ``steps`` is also the outbox entry of its message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, String, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.base import Json
from models.job import Job
from models.partitions import group_by_partition, step_id
from models.queues import QUEUE_OF_KIND, StepMessage, message_priority, queue_name
from models.step import Step, StepKind, StepState, of_job
from models.step_updates import update_steps


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to create: its place in the job and its inputs."""

    kind: str
    level: int
    index: int
    inputs: tuple[Json, ...] = ()
    round: int = 0


# Columns of a step message. The names are read by the statement that writes or finds the step, without a round trip;
# as texts, because SQLAlchemy correlates no subquery with the table of an INSERT.
MESSAGE = (
    Step.id,
    Step.kind,
    Step.queue,
    Step.priority,
    literal_column("(SELECT jobs.source FROM jobs WHERE jobs.id = steps.job_id)", String).label("source"),
    literal_column(
        "(SELECT batches.name FROM batches JOIN jobs ON jobs.batch_id = batches.id WHERE jobs.id = steps.job_id)",
        String,
    ).label("batch"),
)


def find_unclaimed(session: Session, job_id: UUID) -> list[StepMessage]:
    """Return the messages of a job's ready steps."""
    return [
        message_of(row)
        for row in session.execute(select(*MESSAGE).where(of_job(job_id), Step.state == StepState.READY))
    ]


INSERT_STEPS = upsert(Step).values(dispatched_at=func.now()).on_conflict_do_nothing().returning(*MESSAGE)


def add_steps(session: Session, job: Job, steps: Iterable[NewStep]) -> list[StepMessage]:
    """Create steps, except existing ones, and return their messages, to be published after the commit."""
    return insert_steps(session, describe_steps(job, steps))


def describe_steps(job: Job, steps: Iterable[NewStep]) -> list[Json]:
    """Return the rows of new steps, for one insert that may span several jobs."""
    return [
        {
            "id": step_id(job.id, step.kind, step.level, step.index, round_number=step.round),
            "job_id": job.id,
            "round": step.round,
            "kind": step.kind,
            "level": step.level,
            "index": step.index,
            "inputs": list(step.inputs),
            "state": StepState.READY,
            "queue": queue_name(QUEUE_OF_KIND[StepKind(step.kind)], job.weights),
            "priority": message_priority(step.kind, step.index, job.priority, position=job.position or 0),
            "dispatches": 1,
        }
        for step in steps
    ]


def insert_steps(session: Session, rows: Sequence[Json]) -> list[StepMessage]:
    """Insert rows of steps and return the messages of those that did not exist."""
    if not rows:
        return []
    return [message_of(row) for row in session.connection().execute(INSERT_STEPS, rows)]


def message_of(row: Row[UUID, str, str, int, str, str]) -> StepMessage:
    """Return the step message for a row of the columns ``MESSAGE``."""
    step, kind, queue, priority, source, batch = row
    return StepMessage(step_id=step, kind=kind, queue=queue, priority=priority, source=source, batch=batch)


def mark_undispatched(session: Session, steps: Iterable[UUID]) -> None:
    """Mark steps as not dispatched, because their messages could not be published."""
    for group in group_by_partition(steps):
        session.execute(
            update_steps().where(Step.id.in_(group), Step.state == StepState.READY).values(dispatched_at=None)
        )


# Columns that a restart sets to NULL. ``attempt`` is not among them, because attempts are numbered across restarts.
CLEARED_COLUMNS = (
    "done_token", "identity", "cached_from", "prompt_fingerprint", "weights_fingerprint", "params", "output",
    "output_tokens", "prompt_tokens", "completion_tokens", "finish_reason", "seconds", "worker", "error",
    "started_at", "finished_at", "lease_owner",
)  # fmt: skip


def restart_steps(session: Session, steps: Sequence[UUID]) -> list[StepMessage]:
    """Return steps to ready with counters at zero, and return their messages, to be published after the commit."""
    rows = session.execute(
        update_steps()
        .where(Step.id.in_(steps))
        .values(
            state=StepState.READY,
            errors=0,
            crashes=0,
            is_solo=False,
            guards=[],
            sentences=[],
            available_at=func.now(),
            dispatched_at=func.now(),
            dispatches=1,
            **dict.fromkeys(CLEARED_COLUMNS),
        )
        .returning(*MESSAGE)
    )
    return [message_of(row) for row in rows]
