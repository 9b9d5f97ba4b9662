"""Weights of the hub that lie in its cache on this machine, found without a network."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError


def find_cached(name: str, *, revision: str | None) -> Path | None:
    """Return the folder of a hub id in the cache; None if it is not there."""
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None
