"""Uploaded files: written to a folder of their own under numbers; a file's name is a label and never a path."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path, PurePosixPath

from anyio import open_file
from fastapi import UploadFile

from gistmill.http.errors import UPLOAD_REMEDY, RequestError
from models.full_disk import explain_full_disk
from producer.sources.given import NamedFile
from producer.sources.limits import MIB, ReadLimits, format_bytes
from producer.sources.text import clean_label

CHUNK_BYTES = MIB
# A suffix tells the kind of a file; no other sign of a name reaches the file system.
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}")
MAX_NAME = 1_000


def clean_name(name: str | None) -> str:
    """Return the label of an upload: its path without a root and without steps upwards; "" without a name."""
    parts = PurePosixPath((name or "").replace("\\", "/")).parts
    return clean_label("/".join(part for part in parts if part not in ("/", "..", "."))[-MAX_NAME:])


def find_suffix(name: str) -> str:
    """Return the suffix of a name, "" for one that no kind of file has."""
    suffix = PurePosixPath(name).suffix
    return suffix.lower() if SUFFIX.fullmatch(suffix) else ""


@asynccontextmanager
async def store_uploads(uploads: Sequence[UploadFile]) -> AsyncIterator[list[NamedFile]]:
    """Write uploads to a temporary folder for a block.

    Raises:
        RequestError: a file is larger than is allowed.
        FullDiskError: there is no room for them.
    """
    with ExitStack() as stack:
        with explain_full_disk(Path(tempfile.gettempdir()), remedy=UPLOAD_REMEDY):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gistmill-upload-"))
            files = [await _store(upload, Path(folder), number) for number, upload in enumerate(uploads, start=1)]
        yield files


async def _store(upload: UploadFile, folder: Path, number: int) -> NamedFile:
    name, bound = clean_name(upload.filename) or f"file {number}", ReadLimits().file_bytes
    if (upload.size or 0) > bound:
        allowed = format_bytes(bound)
        raise RequestError(
            413,
            f"{name} is larger than the {allowed} allowed for a file; split it, or use `gistmill submit`",
            param=name,
        )
    path = folder / f"{number}{find_suffix(name)}"
    async with await open_file(path, "wb") as file:
        while chunk := await upload.read(CHUNK_BYTES):
            await file.write(chunk)
    return NamedFile(path, name)
