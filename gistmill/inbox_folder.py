"""Files of an inbox's folder: complete ones with their stamps, the place of read ones, and the lock of the folder."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gistmill.errors import InboxError

# Ends the name of the file that says why the file beside it could not be read.
ERROR_SUFFIX = ".gistmill-error.txt"
# Ends the names of files that another program is still writing.
UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", ".partial", ".filepart")

# Size and time of change.
Stamp = tuple[int, int]


def is_being_written(path: Path) -> bool:
    """Return whether another process has a file open for writing, as far as the file system tells (Linux: leases)."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        # Other errors say that this file system has no leases, or that the file is somebody else's.
        return error.errno == errno.EAGAIN
    finally:
        os.close(handle)
    return False


def list_files(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield the files of a folder by name with their stamps, without those that are unfinished or are ours.

    Raises:
        InboxError: the folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InboxError(f"{folder} cannot be read ({error.strerror}); check that it is there") from error
    for path in paths:
        if path.name.startswith((".", "~")) or path.name.endswith((ERROR_SUFFIX, *UNFINISHED_SUFFIXES)):
            continue
        stamp = read_stamp(path) if path.is_file() else None
        if stamp is not None:
            yield path, stamp


def find_reasons(path: Path) -> Path:
    """Return the path of the file that says why the file beside it could not be read."""
    return path.with_name(path.name + ERROR_SUFFIX)


def read_stamp(path: Path) -> Stamp | None:
    """Return size and time of change; None if the file is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def make_folder(folder: Path) -> None:
    """Create the folder of read files, unless it is there.

    Raises:
        InboxError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InboxError(f"{folder} cannot be created ({error.strerror}); give another folder by --move-to") from error


def move_file(path: Path, folder: Path) -> None:
    """Move a file; an earlier one of the same name is kept beside it.

    Raises:
        InboxError: the folder is gone.
    """
    if not folder.is_dir():
        raise InboxError(f"{folder} is gone, where read files are moved to; create it, or give another by --move-to")
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    # Another folder may be on another disk, to which a file cannot be renamed.
    shutil.move(path, target)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from watching a folder for a block.

    Raises:
        InboxError: one watches it already, or the folder is not there or cannot be written to.
    """
    try:
        handle = os.open(folder / ".gistmill-inbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except FileNotFoundError:
        raise InboxError(f"there is no folder {folder}; create it, or check its name") from None
    except OSError as error:
        raise InboxError(f"{folder} cannot be written to ({error.strerror}), where failures are noted") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InboxError(f"another process watches {folder} already") from None
        yield
    finally:
        os.close(handle)
