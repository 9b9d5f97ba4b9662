"""A small disk that a test fills: a file system of its own in memory, which needs root."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BLOCK = b"\0" * 65_536


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """Mounted file system.

    Args:
        folder: where it is mounted.
    """

    folder: Path

    @property
    def free(self) -> int:
        """Free bytes."""
        return shutil.disk_usage(self.folder).free

    def fill(self, *, leave: int = 0) -> None:
        """Leave no more than that many bytes free."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while (wanted := self.free - leave) > 0:
                    file.write(BLOCK[:wanted])
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        """Free what ``fill`` has taken."""
        self._ballast.unlink(missing_ok=True)

    def list_names(self) -> list[str]:
        """Return the names of all files and folders at its top but the ballast, hidden ones too."""
        return sorted(path.name for path in self.folder.iterdir() if path != self._ballast)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def mount_small_disk(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a file system of that size on a folder for a block; where that is not permitted, skip, and fail in CI."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=0755"
    mount = ["mount", "--types", "tmpfs", "--options", options, "gistmill-tests", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True) if shutil.which("mount") else None
    if done is None or done.returncode:
        problem = f"a small file system needs mount and the right to use it: {done.stderr if done else 'no mount'}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily, because a process that a test has killed may still be about to end.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of four megabytes."""
    with mount_small_disk(tmp_path / "disk", megabytes=4) as disk:
        yield disk
