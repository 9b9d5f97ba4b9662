"""Batches of chat requests: created, found, listed and cancelled by request; ``progress`` does their work."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import Json
from models.chat import OPEN_STATUSES, ChatBatch, ChatBatchStatus
from models.files import StoredFile
from models.step_updates import affected_rows
from models.tables import Batch
from producer.errors import ChatFileError

# Time in which a batch must end, such as 24h; 30 days at most.
WINDOW = re.compile(r"([1-9][0-9]{0,2})h")
MAX_WINDOW = timedelta(days=30)
# Digits of the id in a batch's name.
NAME_DIGITS = 8


def parse_window(window: str) -> timedelta:
    """Return the time in which a batch must end.

    Raises:
        ChatFileError: it is not a number of hours.
    """
    found = WINDOW.fullmatch(window)
    length = timedelta(hours=int(found[1])) if found else timedelta()
    if not timedelta() < length <= MAX_WINDOW:
        raise ChatFileError("completion_window must be a number of hours such as 24h, and 720h at most")
    return length


def create_chat_batch(
    session: Session, batch_id: UUID, file: StoredFile, *, endpoint: str, window: str, labels: Json | None
) -> ChatBatch:
    """Create a batch, unless it is there; the caller commits.

    Args:
        session: the caller commits.
        batch_id: id of the batch.
        file: file of its lines.
        endpoint: path of the requests.
        window: time in which it must end.
        labels: facts of its sender.

    Raises:
        ChatFileError: the window is invalid.
    """
    expires_at = datetime.now(UTC) + parse_window(window)
    stem = re.sub(r"[^\w.-]+", "-", PurePath(file.filename).stem).strip("-.")[:40] or "chat"
    name = f"{stem}-{batch_id.hex[:NAME_DIGITS]}"
    asked = {"file": file.filename, "endpoint": endpoint}
    session.execute(insert(Batch).values(id=batch_id, name=name, options=asked).on_conflict_do_nothing())
    row = {
        "id": batch_id,
        "input_file": file.id,
        "endpoint": endpoint,
        "completion_window": window,
        "labels": labels,
        "status": ChatBatchStatus.VALIDATING,
        "expires_at": expires_at,
    }
    session.execute(insert(ChatBatch).values(row).on_conflict_do_nothing())
    return session.get_one(ChatBatch, batch_id)


def list_chat_batches(session: Session, *, limit: int, after: ChatBatch | None = None) -> list[ChatBatch]:
    """Return batches, the newest first, beginning after one."""
    statement = select(ChatBatch).order_by(ChatBatch.created_at.desc(), ChatBatch.id.desc()).limit(limit)
    if after is not None:
        place: tuple[datetime, UUID] = (after.created_at, after.id)
        statement = statement.where(tuple_(ChatBatch.created_at, ChatBatch.id) < tuple_(*place))
    return list(session.scalars(statement))


def request_cancel(session: Session, batch_id: UUID) -> bool:
    """Request that a batch is cancelled; return False if it has ended. The caller commits."""
    changed = session.execute(
        update(ChatBatch)
        .where(
            ChatBatch.id == batch_id,
            ChatBatch.status.in_(OPEN_STATUSES),
            ChatBatch.status != ChatBatchStatus.CANCELLING,
        )
        .values(status=ChatBatchStatus.CANCELLING, cancelling_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return affected_rows(changed) == 1
