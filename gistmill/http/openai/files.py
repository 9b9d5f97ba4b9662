"""Routes of files: upload, list, read and delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.openai.objects import (
    FILE_PREFIX,
    DeletedFile,
    FileObject,
    ObjectList,
    describe_file,
    describe_list,
    parse_id,
)
from gistmill.http.services import Services, Shared
from gistmill.http.uploads import clean_name
from models.files import FilePurpose, StoredFile
from producer.chat.files import MAX_FILE_BYTES, delete_file, list_files, read_parts, store_file
from producer.chat.output import write_lines
from producer.errors import ChatFileError
from producer.sources.limits import format_bytes

router = APIRouter(prefix="/v1", tags=["OpenAI's batches"])
REFUSALS = describe_responses(404)
PageLimit = Annotated[int, Query(ge=1, le=10_000)]
JSONL: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}, "description": "The content of the file."}
}


@router.post("/files", responses=describe_responses(413))
def upload_file(
    services: Shared, file: UploadFile, purpose: Annotated[Literal["batch"], Form(description="Use of the file.")]
) -> FileObject:
    """Upload a file of chat requests, one as JSON on each line."""
    if (file.size or 0) > MAX_FILE_BYTES:
        raise RequestError(413, f"the file is larger than the {format_bytes(MAX_FILE_BYTES)} allowed; split it")
    with services.open_transaction() as session:
        return describe_file(store_file(session, file.file, filename=clean_name(file.filename) or "requests.jsonl"))


@router.get("/files", responses=REFUSALS)
def read_files(
    services: Shared,
    purpose: Literal["batch", "batch_output"] | None = None,
    limit: PageLimit = 100,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> ObjectList[FileObject]:
    """List the files, the newest first."""
    with services.connection.open_session() as session:
        place = None if after is None else require_file(session, after)
        found = list_files(session, limit=limit + 1, purpose=purpose, after=place)
        return describe_list([describe_file(file) for file in found], limit=limit)


@router.get("/files/{file_id}", responses=REFUSALS)
def read_file(services: Shared, file_id: str) -> FileObject:
    """Return what is known of a file."""
    with services.connection.open_session() as session:
        return describe_file(require_file(session, file_id))


@router.delete("/files/{file_id}", responses=describe_responses(404, 409))
def remove_file(services: Shared, file_id: str) -> DeletedFile:
    """Delete a file; what was made of it stays."""
    with services.open_transaction() as session:
        try:
            delete_file(session, require_file(session, file_id))
        except ChatFileError as error:
            raise RequestError(409, str(error)) from error
    return DeletedFile(id=file_id)


@router.get("/files/{file_id}/content", response_class=StreamingResponse, responses={**JSONL, **REFUSALS})
def read_content(services: Shared, file_id: str) -> StreamingResponse:
    """Return the content of a file."""
    with services.connection.open_session() as session:
        content = _read_content(services, require_file(session, file_id))
    return StreamingResponse(content, media_type="application/jsonl")


def require_file(session: Session, file_id: str) -> StoredFile:
    """Return a file.

    Raises:
        RequestError: there is no such file.
    """
    file = session.get(StoredFile, parse_id(file_id, FILE_PREFIX))
    if file is None:
        raise RequestError(404, f"there is no file {file_id!r}; GET /v1/files lists them", param="file_id")
    return file


def _read_content(services: Services, file: StoredFile) -> Iterator[bytes]:
    database = services.connection.engine
    if file.batch_id is None:
        return read_parts(database, file.id)
    return write_lines(database, file.batch_id, FilePurpose(file.purpose))
