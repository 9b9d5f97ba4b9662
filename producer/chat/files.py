"""Uploaded files in the database: stored part by part, read part by part or line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO
from uuid import UUID, uuid4

from sqlalchemy import Engine, insert, select, tuple_
from sqlalchemy.orm import Session

from models.chat import ChatBatch, is_being_read
from models.files import FilePart, FilePurpose, StoredFile
from producer.errors import ChatFileError
from producer.sources.limits import MIB, format_bytes

# Size of a part: enough to hide the round trip, few enough to hold in memory.
PART_BYTES = MIB
# Largest file, as in OpenAI's API.
MAX_FILE_BYTES = 200 * MIB
# Longest line: more cannot be a prompt.
MAX_LINE_BYTES = 16 * MIB


def store_file(session: Session, stream: BinaryIO, *, filename: str) -> StoredFile:
    """Store the content of a stream; the caller commits.

    Raises:
        ChatFileError: the file is empty or larger than is allowed.
    """
    file = StoredFile(id=uuid4(), purpose=FilePurpose.BATCH, filename=filename, bytes=0)
    session.add(file)
    session.flush()
    for index, data in enumerate(iter(lambda: stream.read(PART_BYTES), b"")):
        file.bytes += len(data)
        if file.bytes > MAX_FILE_BYTES:
            raise ChatFileError(f"the file is larger than the {format_bytes(MAX_FILE_BYTES)} allowed; split it")
        session.execute(insert(FilePart), [{"file_id": file.id, "index": index, "data": data}])
    if not file.bytes:
        raise ChatFileError("the file is empty; give one request as JSON on each line")
    session.flush()
    session.refresh(file)
    return file


def list_files(
    session: Session, *, limit: int, purpose: str | None, after: StoredFile | None = None
) -> list[StoredFile]:
    """Return files, the newest first, beginning after one."""
    statement = select(StoredFile).order_by(StoredFile.created_at.desc(), StoredFile.id.desc()).limit(limit)
    if purpose == FilePurpose.BATCH:
        statement = statement.where(StoredFile.purpose == FilePurpose.BATCH)
    elif purpose is not None:
        statement = statement.where(StoredFile.purpose != FilePurpose.BATCH)
    if after is not None:
        place: tuple[datetime, UUID] = (after.created_at, after.id)
        statement = statement.where(tuple_(StoredFile.created_at, StoredFile.id) < tuple_(*place))
    return list(session.scalars(statement))


def delete_file(session: Session, file: StoredFile) -> None:
    """Delete a file; the caller commits.

    Raises:
        ChatFileError: lines of it are not stored as jobs yet.
    """
    readers = select(ChatBatch.id).where(ChatBatch.input_file == file.id, is_being_read(ChatBatch))
    if session.scalar(readers.limit(1)) is not None:
        raise ChatFileError("a batch still reads this file; cancel the batch, or delete the file later")
    session.delete(file)


def read_parts(database: Engine, file_id: UUID) -> Iterator[bytes]:
    """Yield the content of a file part by part, without a transaction that is open while its reader is busy."""
    statement = select(FilePart.data).where(FilePart.file_id == file_id)
    index = 0
    while True:
        with Session(database) as session:
            data = session.scalar(statement.where(FilePart.index == index))
        if data is None:
            return
        yield data
        index += 1


def read_lines(database: Engine, file_id: UUID) -> Iterator[bytes]:
    """Yield the lines of a file that are not blank; of one that is too long, its beginning.

    A line that exceeds the bound keeps one byte more than the bound, by which its reader can tell.
    """
    rest = b""
    for data in read_parts(database, file_id):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line[: MAX_LINE_BYTES + 1] for line in lines if line.strip())
        rest = rest[: MAX_LINE_BYTES + 1]
    if rest.strip():
        yield rest
