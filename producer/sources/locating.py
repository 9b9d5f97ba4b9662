"""Finds what a command line names: files, folders, globs, standard input and URLs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

from producer.errors import SourceUsageError, UnreadableError
from producer.sources.kinds import FileKind, find_kind
from producer.sources.source import SourceProblem, describe_problem
from producer.sources.text import clean_label

STDIN = "-"
URL_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A file to read, and how to show it.

    Args:
        path: where it is.
        name: its path inside the folder or glob that the user gave, else its file name.
        is_listed: True if the user named a folder or a glob, not this very file.
    """

    path: Path
    name: str
    is_listed: bool = False

    def find_kind(self) -> FileKind | None:
        """Return the kind that the file's suffix stands for, None if its content has to tell.

        Raises:
            SourceUsageError: the suffix belongs to a kind that is not supported.
        """
        return find_kind(self.path.suffix)


def is_url(argument: str) -> bool:
    """Return True if an argument is a URL, of whatever scheme."""
    return "://" in argument


def locate_files(argument: str) -> Iterator[FileTarget | SourceProblem]:
    """Yield the files that a path, folder or glob stands for, in sorted order, without hidden ones.

    Raises:
        SourceUsageError: there is nothing at the path, no match for the glob or no file in the folder.
    """
    if not argument.strip():
        raise SourceUsageError("is blank, which is no path; give a file, or . for this folder")
    path = Path(argument)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError) as error:
        raise SourceUsageError(f"cannot be a path ({error}); check it") from error
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
    """Walk a folder without following links to folders, so that no cycle can trap it."""
    denied: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=denied.append):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(file for file in files if not file.startswith(".")):
            yield _list_file(Path(folder, name), root)
    for error in denied:
        name = clean_label(str(error.filename))
        yield describe_problem(name, UnreadableError("is a folder that may not be listed; change its permissions"))


def _match_glob(pattern: str) -> Iterator[FileTarget]:
    parts = PurePath(pattern).parts
    root = Path(*takewhile(lambda part: not glob.has_magic(part), parts))
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - Path.glob would match hidden files
        if not Path(match).is_dir():
            yield _list_file(Path(match), root)


def _list_file(path: Path, root: Path) -> FileTarget:
    return FileTarget(path, clean_label(path.relative_to(root).as_posix()), is_listed=True)
