"""Facts about the whole cluster that must outlive the broker."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ClusterFact(Base):
    """One named fact, such as the epoch of the broker's data."""

    __tablename__ = "cluster_facts"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
