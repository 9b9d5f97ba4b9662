"""A worker process: who is there, on which device, and when it was last heard of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json


class Worker(Base):
    """One running (or gone) worker process; ``id`` is unique to one start of it."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    # Celery node name, as Flower shows it: gpu0@host.
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
