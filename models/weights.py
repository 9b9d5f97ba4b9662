"""Weights and adapters that the cluster knows by name."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of


class WeightsKind(StrEnum):
    """What a folder of tensors is."""

    BASE = "base"
    ADAPTER = "adapter"
    MERGED = "merged"


class Weights(Base):
    """One named set of weights: where it lies, what it came from and how good it was measured to be."""

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
