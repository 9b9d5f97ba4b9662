"""Chat requests: the messages of a line of a batch file, and the batches of such lines.

The document of a chat job is its request as JSON: the job has one step, of kind ``chat``, and no plan.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json, one_of

# Strategy of a job that answers a chat; no option of the command line.
CHAT_STRATEGY = "chat"

ChatRole = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat."""

    role: ChatRole
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The messages of a chat, and the strings that end the answer."""

    messages: tuple[ChatMessage, ...]
    stop: tuple[str, ...] = ()

    def dump(self) -> str:
        """Return the request as the text of a document."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> ChatRequest:
        """Return the request in the text of a document."""
        values = json.loads(text)
        return cls(tuple(ChatMessage(**message) for message in values["messages"]), tuple(values["stop"]))


class ChatBatchStatus(StrEnum):
    """Status of a batch of chat requests, as OpenAI's API names it; the last four are final."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN_STATUSES = (
    ChatBatchStatus.VALIDATING,
    ChatBatchStatus.IN_PROGRESS,
    ChatBatchStatus.FINALIZING,
    ChatBatchStatus.CANCELLING,
)


class ChatBatch(Base):
    """A batch of chat requests: the file that they come from, and how far it is."""

    __tablename__ = "chat_batches"
    __table_args__ = (
        CheckConstraint(one_of("status", ChatBatchStatus), "status_is_known"),
        CheckConstraint("0 <= stored AND stored <= coalesce(lines, 0)", "stored_is_a_part"),
        Index(
            "ix_chat_batches_open",
            "created_at",
            postgresql_where="status IN ('validating', 'in_progress', 'finalizing', 'cancelling')",
        ),
        Index("ix_chat_batches_created_at", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    # Without a foreign key: the file may be deleted when its lines are stored.
    input_file: Mapped[UUID]
    endpoint: Mapped[str]
    completion_window: Mapped[str]
    labels: Mapped[Json | None]
    status: Mapped[str] = mapped_column(default=ChatBatchStatus.VALIDATING)
    # Why the file was refused: [{"code": "...", "line": 3, "message": "...", "param": null}].
    errors: Mapped[list[Any] | None]
    # Lines of the file; NULL before it is read. Of them stored are jobs.
    lines: Mapped[int | None]
    stored: Mapped[int] = mapped_column(default=0, server_default="0")
    output_file: Mapped[UUID | None]
    error_file: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    in_progress_at: Mapped[datetime | None]
    finalizing_at: Mapped[datetime | None]
    cancelling_at: Mapped[datetime | None]
    # When the final status was reached.
    ended_at: Mapped[datetime | None]


def is_being_read(batch: type[ChatBatch]) -> ColumnElement[bool]:
    """Return the SQL condition that lines of a batch's file are not stored as jobs yet."""
    return batch.status.in_(OPEN_STATUSES) & (batch.lines.is_(None) | (batch.stored < batch.lines))
