"""A batch: the jobs of one submission."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json


class Batch(Base):
    """A named group of jobs that were submitted together."""

    __tablename__ = "batches"
    __table_args__ = (CheckConstraint("name <> ''", "name_is_not_empty"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # The options that the submission asked for, as a person would repeat them.
    options: Mapped[Json]
    created_at: Mapped[CreatedAt]
