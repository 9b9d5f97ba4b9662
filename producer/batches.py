"""Names and ids of batches and jobs: the same submission always lands in the same place."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

BATCH_NAMESPACE = uuid5(NAMESPACE_URL, "gistmill:batch")
# Hex digits of a derived name: a collision needs tens of thousands of submissions of one name.
HASH_DIGITS = 8
UNNAMEABLE = re.compile(r"[^\w.-]+")


def batch_id(name: str) -> UUID:
    """Return the id of the batch of a name."""
    return uuid5(BATCH_NAMESPACE, name)


def job_id(batch: UUID, identity: str) -> UUID:
    """Return the id of the job of an identity in a batch."""
    return uuid5(batch, identity)


def name_batch(paths: Sequence[str], asked: dict[str, object]) -> str:
    """Return a name that follows from what is submitted and how: ``articles-3f9a1c2e``.

    Args:
        paths: what the user named; at least one.
        asked: every option that changes which jobs there will be.
    """
    content = json.dumps([[_identify_path(path) for path in paths], asked], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:HASH_DIGITS]
    return f"{_find_stem(paths[0])}-{digest}"


def _identify_path(path: str) -> str:
    """Return the absolute path of what exists, so that the current folder does not matter."""
    return str(Path(path).resolve()) if Path(path).exists() else path


def _find_stem(path: str) -> str:
    stem = "stdin" if path == "-" else Path(path).resolve().stem
    return UNNAMEABLE.sub("-", stem).strip("-.")[:40] or "batch"
