"""Errors of the client.

GistmillError (models.errors)
├── ClosedError            a client was used after its end
├── InboxError             a folder cannot be watched
└── MissingLibraryError    a library of an optional extra is not installed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import GistmillError

OUR_PACKAGES = ("gistmill", "migrations", "models", "producer", "workers")


class ClosedError(GistmillError):
    """A client was used after it was closed."""


class InboxError(GistmillError):
    """A folder cannot be watched; the message names it."""


class MissingLibraryError(GistmillError):
    """A library of an optional extra is not installed; the message says how to install it."""


@contextmanager
def explain_missing(what: str) -> Iterator[None]:
    """Translate a failed import of another's library to a sentence; a missing module of our own is a fault.

    Args:
        what: the subject of the sentence: what needs the library.

    Raises:
        MissingLibraryError: a library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in OUR_PACKAGES:
            raise
        raise MissingLibraryError(
            f"{what} needs {error.name}, and only the producer's part is installed here; in Gistmill's folder "
            "run: pip install --constraint constraints.txt '.[local]'"
        ) from error
