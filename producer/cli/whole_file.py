"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click


@contextmanager
def write_whole(output: Path) -> Iterator[BinaryIO]:
    """Give a file to write; it takes its name when the block ends well, and is gone if not.

    Raises:
        UsageError: its folder is not there or may not be written.
    """
    try:
        part = tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)  # noqa: SIM115
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written ({error.strerror}); check its folder") from None
    path = Path(part.name)
    try:
        with part:
            yield cast("BinaryIO", part)
        # A temporary file is its owner's alone; this one gets the permissions of any new file.
        path.chmod(0o666 & ~_read_umask())
        path.replace(output)
    except BaseException:
        path.unlink()
        raise


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
