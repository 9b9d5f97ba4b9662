"""Objects of OpenAI's API, and the ids that stand for ours in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel

from gistmill.http.errors import RequestError
from models.chat import ChatBatch, ChatBatchStatus
from models.files import StoredFile
from producer.chat.output import RequestCounts

Item = TypeVar("Item")
FILE_PREFIX = "file-"
BATCH_PREFIX = "batch_"


class FileObject(BaseModel):
    """A file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"] = "processed"


class DeletedFile(BaseModel):
    """A file that was deleted."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class BatchProblem(BaseModel):
    """Why the file of a batch was refused."""

    code: str | None
    line: int | None
    message: str
    param: str | None


class BatchProblems(BaseModel):
    """All reasons why the file of a batch was refused."""

    object: Literal["list"] = "list"
    data: list[BatchProblem]


class BatchObject(BaseModel):
    """A batch of chat requests."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchProblems | None
    input_file_id: str
    completion_window: str
    status: ChatBatchStatus
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None


class ModelObject(BaseModel):
    """Weights under a name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["gistmill"] = "gistmill"


class ObjectList(BaseModel, Generic[Item]):
    """A page of a list."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


def parse_id(text: str, prefix: str) -> UUID:
    """Return our id in one of OpenAI's form.

    Raises:
        RequestError: it has another form, so that nothing has it.
    """
    try:
        # Without its prefix an id is no UUID.
        return UUID(hex=text.removeprefix(prefix) if text.startswith(prefix) else "")
    except ValueError:
        raise RequestError(404, f"there is nothing of the id {text!r}; ids begin with {prefix}", param="id") from None


def describe_file(file: StoredFile) -> FileObject:
    """Return a file as an object of the API."""
    return FileObject(
        id=f"{FILE_PREFIX}{file.id.hex}",
        bytes=file.bytes,
        created_at=int(file.created_at.timestamp()),
        filename=file.filename,
        purpose="batch" if file.batch_id is None else "batch_output",
    )


def describe_batch(batch: ChatBatch, counts: RequestCounts) -> BatchObject:
    """Return a batch as an object of the API."""
    return BatchObject(
        id=f"{BATCH_PREFIX}{batch.id.hex}",
        endpoint=batch.endpoint,
        errors=None if batch.errors is None else BatchProblems(data=[BatchProblem(**item) for item in batch.errors]),
        input_file_id=f"{FILE_PREFIX}{batch.input_file.hex}",
        completion_window=batch.completion_window,
        status=ChatBatchStatus(batch.status),
        output_file_id=_name_file(batch.output_file),
        error_file_id=_name_file(batch.error_file),
        created_at=int(batch.created_at.timestamp()),
        in_progress_at=_seconds(batch.in_progress_at),
        expires_at=int(batch.expires_at.timestamp()),
        finalizing_at=_seconds(batch.finalizing_at),
        cancelling_at=_seconds(batch.cancelling_at),
        request_counts=counts,
        metadata=batch.labels,
        **_list_ends(batch),
    )


def describe_list(items: Sequence[Any], *, limit: int) -> ObjectList[Any]:
    """Return objects as a page; one more than the limit says that there is another page."""
    shown = items[:limit]
    return ObjectList(
        data=list(shown),
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(items) > limit,
    )


def _list_ends(batch: ChatBatch) -> dict[str, int | None]:
    ends = (ChatBatchStatus.COMPLETED, ChatBatchStatus.FAILED, ChatBatchStatus.EXPIRED, ChatBatchStatus.CANCELLED)
    return {f"{end}_at": _seconds(batch.ended_at) if batch.status == end else None for end in ends}


def _name_file(file: UUID | None) -> str | None:
    return None if file is None else f"{FILE_PREFIX}{file.hex}"


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
