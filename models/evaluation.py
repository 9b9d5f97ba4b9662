"""An evaluation: one measured quality of one job's summary, with its evidence."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json


class Evaluation(Base):
    """A metric of a job; a value that could not be measured is absent and ``reason`` says why."""

    __tablename__ = "evaluations"
    __table_args__ = (CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", "reason_when_not_measurable"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    reason: Mapped[str | None]
    evidence: Mapped[Json] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]
