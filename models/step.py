"""Steps, the units of work: a plan, a generated text or a check, with its lease, inputs, output and attempts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ColumnExpressionArgument, Index, Uuid, and_, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of
from models.partitions import StepRange


class StepState(StrEnum):
    """State of a step; the last three are final."""

    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepKind(StrEnum):
    """Kind of a step; also the last part of its task's name."""

    PLAN = "plan"
    STUFF = "stuff"
    MAP = "map"
    COLLAPSE = "collapse"
    REDUCE = "reduce"
    REFINE = "refine"
    EXTRACT = "extract"
    EVALUATE = "evaluate"
    CHAT = "chat"


class AttemptOutcome(StrEnum):
    """End of one attempt at a step."""

    DONE = "done"
    ERROR = "error"  # the step raised
    LOST = "lost"  # the lease expired: the worker died or was disconnected
    RELEASED = "released"  # the worker shut down and returned the step
    CANCELLED = "cancelled"


class Step(Base):
    """One unit of work; a ready row is also the outbox entry of its message.

    Its primary key implies that no two steps have one place in a job: the place gives the id. There is no foreign key,
    with which no partition could be dropped: who adds a step holds the lock on its job, and a trigger deletes the steps
    of a deleted job.
    """

    __tablename__ = "steps"
    __table_args__ = (
        CheckConstraint(one_of("state", StepState), "state_is_known"),
        CheckConstraint(one_of("kind", StepKind), "kind_is_known"),
        CheckConstraint("(state = 'running') = (lease_token IS NOT NULL)", "lease_while_running"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", "lease_end_while_running"),
        CheckConstraint("(state = 'done') = (output IS NOT NULL)", "output_when_done"),
        CheckConstraint("(state = 'failed') = (error IS NOT NULL)", "error_when_failed"),
        CheckConstraint("level >= 0 AND index >= 0 AND round >= 0", "place_is_not_negative"),
        # With the id behind the job, for the limits of ``of_job``.
        Index("ix_steps_job_id", "job_id", "id"),
        Index("ix_steps_ready", "dispatched_at", postgresql_where="state = 'ready'"),
        Index("ix_steps_ready_queue", "queue", "priority", "dispatched_at", postgresql_where="state = 'ready'"),
        Index("ix_steps_lease_until", "lease_until", postgresql_where="state = 'running'"),
        Index("ix_steps_lease_owner", "lease_owner", postgresql_where="state = 'running'"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID]
    # 1 for the steps of the second try, which the check of the first summary requested.
    round: Mapped[int] = mapped_column(default=0, server_default="0")
    kind: Mapped[str]
    level: Mapped[int] = mapped_column(default=0)
    index: Mapped[int] = mapped_column(default=0)
    # Chunks or steps that it reads: [{"chunk": 3}] or [{"kind": "map", "level": 0, "index": 2}].
    inputs: Mapped[list[Any]] = mapped_column(server_default="[]")
    state: Mapped[str] = mapped_column(default=StepState.READY)

    queue: Mapped[str]
    priority: Mapped[int]
    available_at: Mapped[CreatedAt]
    dispatched_at: Mapped[datetime | None]
    dispatches: Mapped[int] = mapped_column(default=0, server_default="0")

    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    errors: Mapped[int] = mapped_column(default=0, server_default="0")
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    # A step whose worker died runs alone, so that a poison step fails no others.
    is_solo: Mapped[bool] = mapped_column(default=False, server_default="false")
    lease_token: Mapped[UUID | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    done_token: Mapped[UUID | None]

    # Cache key: prompt, weights fingerprint and parameters.
    identity: Mapped[str | None]
    cached_from: Mapped[UUID | None]
    prompt_fingerprint: Mapped[str | None]
    weights_fingerprint: Mapped[str | None]
    params: Mapped[Json | None]
    output: Mapped[str | None]
    # Tokens of the output inside a later prompt.
    output_tokens: Mapped[int | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    finish_reason: Mapped[str | None]
    seconds: Mapped[float | None]
    worker: Mapped[str | None]
    # Guards that fired: [{"name": "cut", "words": "...", "try": 1, "stands": false}]; "stands" marks the output.
    # Remarks on an output that is better for a change have "is_note".
    guards: Mapped[list[Any]] = mapped_column(server_default="[]")
    # Sentences of the output with their verdicts and the spans of the document that bear them out:
    # [{"start": 0, "end": 42, "kind": "verified", "score": 0.97, "reason": null, "spans": [[120, 240]]}].
    sentences: Mapped[list[Any]] = mapped_column(server_default="[]")
    error: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class StepAttempt(Base):
    """One ended attempt at a step; a trigger deletes it with the step."""

    __tablename__ = "step_attempts"
    __table_args__ = (
        CheckConstraint(one_of("outcome", AttemptOutcome), "outcome_is_known"),
        {"postgresql_partition_by": "RANGE (step_id)"},
    )

    step_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[CreatedAt]
    outcome: Mapped[str]
    error: Mapped[Json | None]


class CachedResult(Base):
    """Latest step with an identity, whose output answers the next step with it: one row leads to one partition."""

    __tablename__ = "cached_results"

    identity: Mapped[str] = mapped_column(primary_key=True)
    step_id: Mapped[UUID]


def of_job(job_id: UUID | ColumnExpressionArgument[UUID]) -> ColumnElement[bool]:
    """Return the SQL condition that a step belongs to a job, which limits a statement to one partition."""
    first, last = (function(job_id, type_=Uuid()) for function in (func.first_step_id, func.last_step_id))
    return and_(Step.job_id == job_id, Step.id.between(first, last))


def in_range(steps: StepRange) -> ColumnElement[bool]:
    """Return the SQL condition that a step is in a partition."""
    return Step.id.between(steps.first, steps.last)
