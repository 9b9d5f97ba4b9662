"""Tables of batches, documents, evaluations, deletions, weights, workers and cluster facts; re-exports all others."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of
from models.chat import ChatBatch
from models.digest import DigestPart
from models.files import FilePart, StoredFile
from models.job import Chunk, Job
from models.sentence import Citation, SummarySentence
from models.step import CachedResult, Step, StepAttempt
from models.webhook import IdempotencyKey, Webhook

__all__ = [
    "Base",
    "Batch",
    "CachedResult",
    "ChatBatch",
    "Chunk",
    "Citation",
    "ClusterFact",
    "Deletion",
    "DeletionKind",
    "DigestPart",
    "Document",
    "Evaluation",
    "FilePart",
    "IdempotencyKey",
    "Job",
    "Step",
    "StepAttempt",
    "StoredFile",
    "SummarySentence",
    "Webhook",
    "Weights",
    "WeightsKind",
    "Worker",
    "hash_document",
]


class Batch(Base):
    """A named group of jobs."""

    __tablename__ = "batches"
    __table_args__ = (
        CheckConstraint("name <> ''", "name_is_not_empty"),
        CheckConstraint("retention_days > 0", "retention_days_is_positive"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # The options as given on the command line.
    options: Mapped[Json]
    # Days after its end for which a job is kept; NULL for the cluster's setting.
    retention_days: Mapped[int | None]
    created_at: Mapped[CreatedAt]


class Document(Base):
    """One normalized text, stored once however often it is submitted."""

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", "sha256_is_hex"),
        CheckConstraint("format IN ('markdown', 'text')", "format_is_known"),
        CheckConstraint("text ~ '\\S'", "text_is_not_blank"),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    format: Mapped[str]
    text: Mapped[str]
    characters: Mapped[int] = mapped_column(Computed("char_length(text)", persisted=True))
    title: Mapped[str | None]
    # Metadata of the source: author, dates, page count.
    details: Mapped[Json] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]


def hash_document(text: str, document_format: str) -> str:
    """Return a document's identity: SHA-256 over format and normalized text, as 64 hex digits."""
    return hashlib.sha256(f"{document_format}\n{text}".encode()).hexdigest()


class Evaluation(Base):
    """A metric of a job; its value is NULL with a ``reason`` if it could not be measured."""

    __tablename__ = "evaluations"
    __table_args__ = (CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", "reason_when_not_measurable"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    reason: Mapped[str | None]
    evidence: Mapped[Json] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]


class DeletionKind(StrEnum):
    """Choice of the jobs that a deletion deletes."""

    BATCH = "batch"
    JOB = "job"
    DOCUMENT = "document"  # all jobs of one document
    AGE = "age"  # all jobs that ended before a moment
    RETENTION = "retention"  # all jobs whose batch keeps them no longer


class Deletion(Base):
    """One deletion: what, when, by whom and how much; never a text or a name."""

    __tablename__ = "deletions"
    __table_args__ = (
        CheckConstraint(one_of("kind", DeletionKind), "kind_is_known"),
        Index("ix_deletions_unfinished", "created_at", postgresql_where="finished_at IS NULL"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    # Id of the batch or job, SHA-256 of the document, moment, or days of retention by default.
    subject: Mapped[str]
    requested_by: Mapped[str]
    database_role: Mapped[str] = mapped_column(server_default=text("current_user"))
    jobs: Mapped[int] = mapped_column(default=0, server_default="0")
    steps: Mapped[int] = mapped_column(default=0, server_default="0")
    documents: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]


class WeightsKind(StrEnum):
    """Kind of a folder of weights."""

    BASE = "base"
    ADAPTER = "adapter"
    MERGED = "merged"


class Weights(Base):
    """One named set of weights: location, base, training and metrics."""

    __tablename__ = "weights"
    __table_args__ = (
        CheckConstraint(one_of("kind", WeightsKind), "kind_is_known"),
        CheckConstraint("(kind = 'base') = (base IS NULL)", "base_of_what_was_trained"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    location: Mapped[str]
    base: Mapped[str | None] = mapped_column(ForeignKey("weights.name"))
    fingerprint: Mapped[str]
    training: Mapped[Json] = mapped_column(server_default="{}")
    data_sha256: Mapped[str | None]
    metrics: Mapped[Json] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]


class Worker(Base):
    """One worker process, live or stopped; ``id`` is unique to one start."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_weights_fingerprint", "weights_fingerprint", "started_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    # Celery node name, such as gpu0@host.
    node: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    device: Mapped[str]
    weights: Mapped[str]
    weights_fingerprint: Mapped[str]
    details: Mapped[Json] = mapped_column(server_default="{}")
    started_at: Mapped[CreatedAt]
    heartbeat_at: Mapped[CreatedAt]
    stopped_at: Mapped[datetime | None]


class ClusterFact(Base):
    """One named value, such as the epoch of the broker's data."""

    __tablename__ = "cluster_facts"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
