"""Jobs and their chunks: one document summarized one way, and the spans that the plan step cut it into."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of
from models.choices import OPEN_STATES, SUMMARIZED_STATES, JobState

__all__ = ["OPEN_STATES", "SUMMARIZED_STATES", "Chunk", "Job", "JobState", "Priority"]


class Priority(IntEnum):
    """Priority of a job; the value is the first of its three levels on the broker (0 is served first)."""

    HIGH = 0
    NORMAL = 3
    LOW = 6


class Job(Base):
    """One document, one strategy, one style, one set of weights: at most one summary."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("batch_id", "identity"),
        CheckConstraint(one_of("state", JobState), "state_is_known"),
        CheckConstraint("pending >= 0", "pending_is_not_negative"),
        CheckConstraint("(state IN ('succeeded', 'partial')) = (summary IS NOT NULL)", "summary_when_done"),
        CheckConstraint("data IS NULL OR summary IS NOT NULL", "data_of_a_summary"),
        CheckConstraint("review IS NULL OR summary IS NOT NULL", "review_of_a_summary"),
        CheckConstraint("state <> 'succeeded' OR summary ~ '\\S'", "summary_is_not_blank"),
        CheckConstraint("state NOT IN ('partial', 'failed') OR reason IS NOT NULL", "reason_when_not_whole"),
        CheckConstraint(
            "(state IN ('succeeded', 'partial', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            "finished_at_when_final",
        ),
        Index("ix_jobs_open", "batch_id", postgresql_where="state IN ('queued', 'running')"),
        Index(
            "ix_jobs_cancelling",
            "cancel_requested_at",
            postgresql_where="state IN ('queued', 'running') AND cancel_requested_at IS NOT NULL",
        ),
        Index("ix_jobs_document_sha256", "document_sha256"),
        Index("ix_jobs_position", "batch_id", "position"),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where="finished_at IS NOT NULL"),
        Index("ix_jobs_output_schema", "created_at", postgresql_where="(options ->> 'output_schema') IS NOT NULL"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"))
    # SHA-256 over document, source and options: the same submission gives the same job.
    identity: Mapped[str]
    document_sha256: Mapped[str] = mapped_column(ForeignKey("documents.sha256"))
    # The document's name: a file name, a row's id or a URL.
    source: Mapped[str]
    # Place in the batch: the order of the input. What a later submission adds to the batch comes after.
    position: Mapped[int] = mapped_column(default=0, server_default="0")
    options: Mapped[Json]
    weights: Mapped[str]
    priority: Mapped[int] = mapped_column(default=Priority.NORMAL)
    state: Mapped[str] = mapped_column(default=JobState.QUEUED)
    # Chosen by the plan step.
    strategy: Mapped[str | None]
    plan: Mapped[Json | None]
    # Offset and path of every heading of the document, in order, for its citations; written by the plan step.
    headings: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    # Barrier: steps of the current wave that are not final; the next wave starts at zero.
    pending: Mapped[int] = mapped_column(default=1)
    summary: Mapped[str | None]
    # Data of a structured summary, whose text is the summary; NULL for prose.
    data: Mapped[Json | None] = mapped_column(deferred=True)
    # Round of the steps that made the summary; 1 if the second try was better.
    round: Mapped[int] = mapped_column(default=0, server_default="0")
    # Sentences of the summary by verdict; NULL without a summary, or without a check of its sentences.
    verified: Mapped[int | None]
    quoted: Mapped[int | None]
    flagged: Mapped[int | None]
    # Why the job is partial, failed or cancelled, for people.
    reason: Mapped[str | None]
    # Why a person should review the summary; NULL if its check found nothing.
    review: Mapped[str | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Chunk(Base):
    """A span of a job's document: ``substr(text, start_at + 1, end_at - start_at)``."""

    __tablename__ = "chunks"
    __table_args__ = (
        CheckConstraint("0 <= start_at AND start_at < end_at", "span_is_not_empty"),
        CheckConstraint("tokens > 0", "tokens_is_positive"),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    # Code points in the document's text; the end is exclusive.
    start_at: Mapped[int]
    end_at: Mapped[int]
    headings: Mapped[list[Any]]
    tokens: Mapped[int]
