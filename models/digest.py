"""Parts of digests: which span of a digest's document is the summary of which job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class DigestPart(Base):
    """One section of the document that a digest summarizes: the stored summary of another job."""

    __tablename__ = "digest_parts"
    __table_args__ = (
        CheckConstraint("0 <= start_at AND start_at < end_at", "span_is_not_empty"),
        Index("ix_digest_parts_job_id", "job_id"),
    )

    digest_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    # Without a cascade: a job is deleted together with the digests that hold its text.
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", deferrable=True, initially="DEFERRED"))
    # Code points in the digest's document, the heading included; the end is exclusive.
    start_at: Mapped[int]
    end_at: Mapped[int]
    # Sentences of the job's summary in the same document: [[start, end, index], ...].
    sentences: Mapped[list[Any]]
