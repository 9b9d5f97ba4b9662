"""Inbox: a folder whose files are submitted to one batch as soon as they are complete.

The batch is the truth: submitting a file again creates nothing twice. The state file only spares the reading of files
that have not changed. Files are found by looks at the folder, which also work where a network file system sends no
events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Self

from gistmill.batch import Batch
from gistmill.inbox_folder import (
    Stamp,
    find_reasons,
    is_being_written,
    list_files,
    lock_folder,
    make_folder,
    move_file,
    read_stamp,
)
from models.errors import SettingsError, UnreachableError
from models.full_disk import find_write_error
from producer.options import SubmitOptions
from producer.sources.source import ReadEvent, SourceProblem
from producer.sources.text import clean_label
from producer.submit import NothingSubmittedError
from producer.wording import count

STATE_FILE = ".gistmill-inbox.json"
# Files per submission.
BLOCK_FILES = 100
# Seconds between two attempts while the database is away.
OUTAGE_SECONDS = 5.0

Say = Callable[[str], object]
# A client's method ``submit``.
Submit = Callable[..., Batch]


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

    Raises:
        SettingsError: files would be moved to the folder that is watched.
    """

    folder: Path
    batch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    done_folder: Path | None = None
    interval: float = 1.0
    settle_seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.done_folder is not None and self.done_folder.resolve() == self.folder.resolve():
            raise SettingsError("--move-to must be another folder than the one that is watched")


class WatchOptions(SubmitOptions, total=False):
    """Options of watching: those of submissions, ``move_to``, ``interval``, and the receiver of sentences."""

    move_to: str | Path | None
    interval: float
    report: Say


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
        submit: method of the client of the cluster.
        config: configuration.
        say: called with a sentence about everything that happens.
    """

    def __init__(self, submit: Submit, config: InboxConfig, *, say: Say) -> None:
        self._call_submit = submit
        self._config = config
        self._say = say
        self._state = InboxState.load(config.folder)
        # Stamps at the last look, of files that have changed since they were submitted.
        self._seen: dict[str, Stamp] = {}
        self._unread = 0

    def run(self, *, once: bool = False, stop: Event | None = None) -> int:
        """Submit files as they come, for ever or until there is none that is new; return how many were not read whole.

        Args:
            once: whether to end when there is no new file.
            stop: ends the watching when it is set, after the submission that has begun.

        Raises:
            InboxError: the folder cannot be read or written, or another process watches it.
            SettingsError: an option is invalid.
        """
        stop = stop or Event()
        if self._config.done_folder is not None:
            make_folder(self._config.done_folder)
        with lock_folder(self._config.folder):
            while not stop.is_set():
                ready = self._find_ready()
                for start in range(0, len(ready), BLOCK_FILES):
                    self._submit_until_stored(ready[start : start + BLOCK_FILES], stop)
                if once and not self._seen:
                    break
                stop.wait(self._config.interval)
        return self._unread

    def _find_ready(self) -> list[Path]:
        """Return the new and changed files that are complete, by name."""
        before, self._seen = self._seen, {}
        ready = []
        files = list(list_files(self._config.folder))
        there = {path.name for path, _ in files}
        for name in self._state.stamps.keys() - there:
            # Its reasons go with a file that was removed; one that was moved as read has none.
            del self._state.stamps[name]
            find_reasons(self._config.folder / name).unlink(missing_ok=True)
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

    def _submit_until_stored(self, paths: Sequence[Path], stop: Event) -> None:
        is_out = False
        while not stop.is_set():
            try:
                self._submit(paths)
            except UnreachableError as error:
                if not is_out:
                    self._say(f"{error}; trying again until it answers")
                is_out = True
                stop.wait(OUTAGE_SECONDS)
            else:
                return

    def _submit(self, paths: Sequence[Path]) -> None:
        """Submit files, and record them only after their jobs are stored."""
        stamps = {path.name: stamp for path in paths if (stamp := read_stamp(path)) is not None}
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
            batch = self._call_submit(names, name=self._config.batch, on_read=report, **self._config.options)
            self._say(f"{count(batch.new, 'new job')} of {count(len(there), 'file')} in batch {batch.name}")
        except NothingSubmittedError:
            self._say(f"{count(len(there), 'file')} without a document that could be read")
        for path in there:
            # One that was replaced meanwhile is submitted again, and its reasons or its way are those of the new one.
            if read_stamp(path) == stamps[path.name]:
                self._settle(path, [problem for problem in problems if is_about(problem, path)])
        self._state.stamps |= stamps
        self._write(self._state.path, self._state.save)

    def _settle(self, path: Path, problems: Sequence[SourceProblem]) -> None:
        """Write the reasons beside a file that could not be read whole, or move the file if that is configured."""
        reasons = find_reasons(path)
        if problems:
            self._unread += 1
            text = "".join(f"{problem.message}\n" for problem in problems)
            self._write(reasons, lambda: replace_text(reasons, text))
            self._say(problems[0].message)
            return
        reasons.unlink(missing_ok=True)
        if self._config.done_folder is not None:
            with suppress(FileNotFoundError):
                move_file(path, self._config.done_folder)

    def _write(self, path: Path, write: Callable[[], None]) -> None:
        """Write a file beside the documents; on a full disk it is left out, because the batch has all that matters."""
        try:
            write()
        except OSError as error:
            reason = find_write_error(error)
            if reason is None:
                raise
            self._say(f"{path} cannot be written: {reason}; free some space there")


def make_inbox(submit: Submit, folder: Path, batch: str, options: Mapping[str, Any]) -> Inbox:
    """Return the inbox of a folder.

    Args:
        submit: method of the client of the cluster.
        folder: folder to watch.
        batch: name of the batch.
        options: values of ``WatchOptions``, ``report`` among them.

    Raises:
        SettingsError: files would be moved to the folder that is watched.
    """
    rest = dict(options)
    say, move_to, interval = rest.pop("report"), rest.pop("move_to", None), rest.pop("interval", 1.0)
    done_folder = None if move_to is None else Path(move_to)
    config = InboxConfig(folder, batch, rest, done_folder=done_folder, interval=interval)
    return Inbox(submit, config, say=say)


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
