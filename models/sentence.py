"""Sentences of a summary with their verdicts, and their citations: the spans of the document that bear them out."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of


class SentenceKind(StrEnum):
    """Verdict on a sentence of a summary."""

    VERIFIED = "verified"  # generated, and borne out by the document
    QUOTED = "quoted"  # a sentence of the document, word for word
    FLAGGED = "flagged"  # generated, and not borne out by the document
    UNCHECKED = "unchecked"  # generated without a check (grounding off)


class SummarySentence(Base):
    """One sentence of a job's summary: ``substr(summary, start_at + 1, end_at - start_at)``."""

    __tablename__ = "sentences"
    __table_args__ = (
        CheckConstraint("0 <= start_at AND start_at < end_at", "span_is_not_empty"),
        CheckConstraint(one_of("kind", SentenceKind), "kind_is_known"),
        CheckConstraint("(kind = 'flagged') = (reason IS NOT NULL)", "reason_when_flagged"),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    # Code points in the job's summary; the end is exclusive.
    start_at: Mapped[int]
    end_at: Mapped[int]
    kind: Mapped[str]
    # Probability, by the verifier, that the document bears the sentence out; NULL where none was asked.
    score: Mapped[float | None]
    # Why the sentence is flagged, for people.
    reason: Mapped[str | None]


class Citation(Base):
    """One span of the document that bears out a sentence: ``substr(text, start_at + 1, end_at - start_at)``."""

    __tablename__ = "citations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["job_id", "sentence"],
            ["sentences.job_id", "sentences.index"],
            ondelete="CASCADE",
            name="fk_citations_sentence",
        ),
        CheckConstraint("0 <= start_at AND start_at < end_at", "span_is_not_empty"),
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    sentence: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    # Code points in the document's text; the end is exclusive.
    start_at: Mapped[int]
    end_at: Mapped[int]
