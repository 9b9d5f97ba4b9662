"""Resolution of command line arguments to files: paths, folders and globs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

from producer.errors import SourceUsageError, UnreadableError
from producer.sources.kinds import FileKind, find_kind
from producer.sources.source import SourceProblem, describe_problem
from producer.sources.text import clean_label

STDIN = "-"
# Digits of a number in a name; those of a hash or a date are no longer.
NUMBER = re.compile(r"(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A file to read, with its display name.

    Args:
        path: path of the file.
        name: path relative to the given folder or glob, else the file name.
        is_listed: True if found in a folder or by a glob, False if given by name.
    """

    path: Path
    name: str
    is_listed: bool = False

    def find_kind(self) -> FileKind | None:
        """Return the kind for the file's suffix, None for an unknown one.

        Raises:
            SourceUsageError: the suffix belongs to a kind that is not supported.
        """
        return find_kind(self.path.suffix)


def is_url(argument: str) -> bool:
    """Return True if an argument is a URL of any scheme."""
    return "://" in argument


def locate_files(argument: str) -> Iterator[FileTarget | SourceProblem]:
    """Yield the files of a path, folder or glob in sorted order, numbers by their value, without hidden ones.

    Raises:
        SourceUsageError: the path does not exist, the glob has no match or the folder no file.
    """
    if not argument.strip():
        raise SourceUsageError("is blank, which is no path; give a file, or . for this folder")
    path = Path(argument)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError) as error:
        # The whole message of an OSError would repeat the path, which may be a text given by mistake.
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceUsageError(f"cannot be a path ({reason}); check it") from error
    if is_folder:
        yield from _require_any(_walk_folder(path), "holds no files that are not hidden; give another folder")
    elif is_there:
        yield FileTarget(path, clean_label(path.name))
    elif glob.has_magic(argument):
        yield from _require_any(_match_glob(argument), "matches no files; check the pattern")
    else:
        raise SourceUsageError("does not exist; check the path")


def _require_any(targets: Iterator[FileTarget | SourceProblem], otherwise: str) -> Iterator[FileTarget | SourceProblem]:
    is_empty = True
    for target in targets:
        is_empty = False
        yield target
    if is_empty:
        raise SourceUsageError(otherwise)


def _walk_folder(root: Path) -> Iterator[FileTarget | SourceProblem]:
    """Walk a folder without following links to folders, which may form cycles."""
    denied: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=denied.append):
        names[:] = sorted((name for name in names if not name.startswith(".")), key=split_numbers)
        for name in sorted((file for file in files if not file.startswith(".")), key=split_numbers):
            yield _list_file(Path(folder, name), root)
    for error in denied:
        name = clean_label(str(error.filename))
        yield describe_problem(name, UnreadableError("is a folder that may not be listed; change its permissions"))


def _match_glob(pattern: str) -> Iterator[FileTarget]:
    parts = PurePath(pattern).parts
    root = Path(*takewhile(lambda part: not glob.has_magic(part), parts))
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob would match hidden files
    for match in sorted(matches, key=split_numbers):
        if not Path(match).is_dir():
            yield _list_file(Path(match), root)


def split_numbers(name: str) -> list[tuple[int, str]]:
    """Return a key of order in which a number stands by its value: 2 before 10."""
    parts = NUMBER.split(name)
    return [(int(part), part) if place % 2 else (-1, part) for place, part in enumerate(parts)]


def _list_file(path: Path, root: Path) -> FileTarget:
    return FileTarget(path, clean_label(path.relative_to(root).as_posix()), is_listed=True)
