"""Inbox: a folder whose files are submitted to one batch as soon as they are complete.

The batch is the truth: submitting a file again creates nothing twice. The state file only spares the reading of files
that have not changed. Files are found by looks at the folder, which also work where a network file system sends no
events.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gistmill.client import Client
from gistmill.errors import InboxError
from models.errors import UnreachableError
from models.full_disk import find_write_error
from producer.sources.source import ReadEvent, SourceProblem
from producer.sources.text import clean_label
from producer.submit import NothingSubmittedError
from producer.wording import count

STATE_FILE = ".gistmill-inbox.json"
# Ends the name of the file that says why the file beside it could not be read.
ERROR_SUFFIX = ".gistmill-error.txt"
# Ends the names of files that another program is still writing.
UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
# Files per submission.
BLOCK_FILES = 100
# Seconds between two attempts while the database is away.
OUTAGE_SECONDS = 5.0

Stamp = tuple[int, int]
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class InboxConfig:
    """Configuration of an inbox.

    Args:
        folder: folder to watch; not its subfolders.
        batch: name of the batch.
        options: options of every submission.
        done_folder: folder that read files are moved to; None leaves them.
        interval: seconds between two looks.
        settle_seconds: age of a file's last change from which it may be complete.
    """

    folder: Path
    batch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    done_folder: Path | None = None
    interval: float = 1.0
    settle_seconds: float = 2.0


@dataclass(slots=True)
class InboxState:
    """Size and time of change of every file that was submitted or refused, kept in the folder."""

    path: Path
    stamps: dict[str, Stamp]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the state of a folder; an unreadable one is empty, which costs a second reading."""
        path = folder / STATE_FILE
        try:
            stored = json.loads(path.read_text())
            stamps = {name: (int(size), int(changed)) for name, (size, changed) in stored.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            stamps = {}
        return cls(path, stamps)

    def save(self) -> None:
        """Replace the stored state."""
        replace_text(self.path, json.dumps(self.stamps))


class Inbox:
    """Watches one folder.

    Args:
        client: client of the cluster.
        config: configuration.
        say: called with a sentence about everything that happens.
    """

    def __init__(self, client: Client, config: InboxConfig, *, say: Say) -> None:
        self._client = client
        self._config = config
        self._say = say
        self._state = InboxState.load(config.folder)
        # Stamps at the last look, of files that have changed since they were submitted.
        self._seen: dict[str, Stamp] = {}

    def run(self, *, once: bool = False) -> None:
        """Submit files as they come, for ever or until there is none that is new.

        Raises:
            InboxError: the folder cannot be read or written, or another process watches it.
            SettingsError: an option is invalid.
        """
        with _lock_folder(self._config.folder):
            while True:
                ready = self._find_ready()
                for start in range(0, len(ready), BLOCK_FILES):
                    self._submit_until_stored(ready[start : start + BLOCK_FILES])
                if once and not self._seen:
                    return
                time.sleep(self._config.interval)

    def _find_ready(self) -> list[Path]:
        """Return the new and changed files that are complete, by name."""
        before, self._seen = self._seen, {}
        ready = []
        files = list(_list_files(self._config.folder))
        there = {path.name for path, _ in files}
        self._state.stamps = {name: stamp for name, stamp in self._state.stamps.items() if name in there}
        for path, stamp in files:
            if self._state.stamps.get(path.name) == stamp:
                continue
            age = time.time() - stamp[1] / 1e9
            # A clock of a file server may be ahead.
            has_settled = not 0 <= age < self._config.settle_seconds
            if before.get(path.name) == stamp and has_settled and not is_being_written(path):
                ready.append(path)
            else:
                self._seen[path.name] = stamp
        return ready

    def _submit_until_stored(self, paths: Sequence[Path]) -> None:
        is_out = False
        while True:
            try:
                self._submit(paths)
            except UnreachableError as error:
                if not is_out:
                    self._say(f"{error}; trying again until it answers")
                is_out = True
                time.sleep(OUTAGE_SECONDS)
            else:
                return

    def _submit(self, paths: Sequence[Path]) -> None:
        """Submit files, and record them only after their jobs are stored."""
        stamps = {path.name: stamp for path in paths if (stamp := _read_stamp(path)) is not None}
        there = [path for path in paths if path.name in stamps]
        if not there:
            return
        problems: list[SourceProblem] = []

        def report(event: ReadEvent) -> None:
            if isinstance(event, SourceProblem):
                problems.append(event)

        # Not a list, of which --text-column would be refused if no file is a table: here others come later.
        names = (str(path) for path in there)
        try:
            batch = self._client.submit(names, name=self._config.batch, on_read=report, **self._config.options)
            self._say(f"{count(batch.new, 'new job')} of {count(len(there), 'file')} in batch {batch.name}")
        except NothingSubmittedError:
            self._say(f"{count(len(there), 'file')} without a document that could be read")
        for path in there:
            # One that was replaced meanwhile is submitted again, and its reasons or its way are those of the new one.
            if _read_stamp(path) == stamps[path.name]:
                self._settle(path, [problem for problem in problems if is_about(problem, path)])
        self._state.stamps |= stamps
        self._write(self._state.path, self._state.save)

    def _settle(self, path: Path, problems: Sequence[SourceProblem]) -> None:
        """Write the reasons beside a file that could not be read whole, or move the file if that is configured."""
        reasons = path.with_name(path.name + ERROR_SUFFIX)
        if problems:
            text = "".join(f"{problem.message}\n" for problem in problems)
            self._write(reasons, lambda: replace_text(reasons, text))
            self._say(problems[0].message)
            return
        reasons.unlink(missing_ok=True)
        if self._config.done_folder is not None:
            with suppress(FileNotFoundError):
                _move(path, self._config.done_folder)

    def _write(self, path: Path, write: Callable[[], None]) -> None:
        """Write a file beside the documents; on a full disk it is left out, because the batch has all that matters."""
        try:
            write()
        except OSError as error:
            reason = find_write_error(error)
            if reason is None:
                raise
            self._say(f"{path} cannot be written: {reason}; free some space there")


def replace_text(path: Path, text: str) -> None:
    """Replace a text file; an error leaves the old one, and nothing of the new one."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def is_about(problem: SourceProblem, path: Path) -> bool:
    """Return whether a problem is one of a file or of a part of it, such as a row."""
    label = clean_label(path.name)
    return problem.name == label or problem.name.startswith((f"{label}#", f"{label}/", str(path)))


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


def _list_files(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InboxError(f"{folder} cannot be read ({error.strerror}); check that it is there") from error
    for path in paths:
        if path.name.startswith((".", "~")) or path.name.endswith((ERROR_SUFFIX, *UNFINISHED_SUFFIXES)):
            continue
        stamp = _read_stamp(path) if path.is_file() else None
        if stamp is not None:
            yield path, stamp


def _read_stamp(path: Path) -> Stamp | None:
    """Return size and time of change; None if the file is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _move(path: Path, folder: Path) -> None:
    """Move a file; an earlier one of the same name is kept beside it."""
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    # Another folder may be on another disk, to which a file cannot be renamed.
    shutil.move(path, target)


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    try:
        handle = os.open(folder / ".gistmill-inbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
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
