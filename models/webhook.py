"""Webhooks, which are called when a batch has ended, and the answers to requests that may be repeated."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of


class WebhookState(StrEnum):
    """State of a webhook; the last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Webhook(Base):
    """An address to call when a batch has ended; the row is also the outbox entry of the call."""

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("batch_id", "url"),
        CheckConstraint(one_of("state", WebhookState), "state_is_known"),
        Index("ix_webhooks_waiting", "available_at", postgresql_where="state = 'waiting'"),
    )

    # Also the id of the message, the same at every attempt.
    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    url: Mapped[str]
    state: Mapped[str] = mapped_column(default=WebhookState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    available_at: Mapped[CreatedAt]
    # Why the last attempt failed.
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    delivered_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer to a request with a key, for its repetitions; NULL while the first one is under way."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    # SHA-256 of the request.
    request: Mapped[str]
    answer: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
