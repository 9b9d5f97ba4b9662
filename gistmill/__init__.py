"""Public interface of Gistmill: submit documents, wait for their batch, read the summaries.

>>> with gistmill.connect() as client:
...     batch = client.submit("articles/", strategy="map-reduce")
...     for summary in batch.wait().summaries():
...         print(summary.source, summary.text)

A name is imported at its first use, so that ``import gistmill`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gistmill.aio import AsyncBatch, AsyncClient, aconnect
    from gistmill.batch import Batch
    from gistmill.client import Client, connect
    from gistmill.errors import ClosedError, MissingLibraryError
    from gistmill.planning import DocumentPlan
    from gistmill.summaries import Summaries
    from models.errors import GistmillError, SettingsError, UnknownIdError, UnreachableError
    from producer.errors import SubmissionError, WaitTimeoutError
    from producer.sources.given import Document
    from producer.status import Snapshot
    from producer.submit import NothingSubmittedError
    from producer.summaries import Summary

__all__ = [
    "AsyncBatch",
    "AsyncClient",
    "Batch",
    "Client",
    "ClosedError",
    "Document",
    "DocumentPlan",
    "GistmillError",
    "MissingLibraryError",
    "NothingSubmittedError",
    "SettingsError",
    "Snapshot",
    "SubmissionError",
    "Summaries",
    "Summary",
    "UnknownIdError",
    "UnreachableError",
    "WaitTimeoutError",
    "aconnect",
    "connect",
]

MODULES = {
    **dict.fromkeys(("AsyncBatch", "AsyncClient", "aconnect"), "gistmill.aio"),
    "Batch": "gistmill.batch",
    **dict.fromkeys(("Client", "connect"), "gistmill.client"),
    **dict.fromkeys(("ClosedError", "MissingLibraryError"), "gistmill.errors"),
    "DocumentPlan": "gistmill.planning",
    "Summaries": "gistmill.summaries",
    **dict.fromkeys(("GistmillError", "SettingsError", "UnknownIdError", "UnreachableError"), "models.errors"),
    **dict.fromkeys(("SubmissionError", "WaitTimeoutError"), "producer.errors"),
    "Document": "producer.sources.given",
    "Snapshot": "producer.status",
    "NothingSubmittedError": "producer.submit",
    "Summary": "producer.summaries",
}


# Hidden from type checkers, which would take any name for a public one.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name at its first use."""
        if name not in MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(MODULES[name]), name)
        return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
