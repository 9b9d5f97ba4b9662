"""Full disks: one sentence with the path and the remedy, in place of an error of the system or of a library."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from os import strerror
from pathlib import Path

from models.errors import FullDiskError

# Errors of a full disk or quota, of a limit on the size of files, and of a failing device.
WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
REMEDY = "free some space there or choose another place, and run the command again"
TEMPORARY_REMEDY = "free some space there, or set TMPDIR to a folder on a larger disk, and run the command again"
# How libraries that are written in Rust or C++ name these errors; torch gives no reason.
TORCH_ERROR = "file write failed"


def find_write_error(error: BaseException) -> str | None:
    """Return the reason of an error that a full disk or a failing device has caused; None for any other."""
    if isinstance(error, OSError):
        return strerror(error.errno) if error.errno in WRITE_ERRORS else None
    # The error of safetensors is a bare Exception, those of torch and of the hub's client are RuntimeErrors.
    if not isinstance(error, RuntimeError) and type(error).__name__ != "SafetensorError":
        return None
    if TORCH_ERROR in str(error):
        return strerror(errno.ENOSPC)
    return next((strerror(number) for number in WRITE_ERRORS if strerror(number) in str(error)), None)


@contextmanager
def explain_full_disk(path: Path, *, remedy: str = REMEDY) -> Iterator[None]:
    """Translate the errors of a full disk to one sentence.

    Args:
        path: file or folder that is written.
        remedy: instructions for the user.

    Raises:
        FullDiskError: replaces such an error.
    """
    try:
        yield
    except Exception as error:
        reason = find_write_error(error)
        if reason is None:
            raise
        raise FullDiskError(f"{path} cannot be written: {reason}; {remedy}") from error
