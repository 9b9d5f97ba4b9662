"""Names and ids of batches and jobs, derived from the submission: repeating it creates nothing new."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

BATCH_NAMESPACE = uuid5(NAMESPACE_URL, "gistmill:batch")
# Hex digits in a derived name: a collision takes tens of thousands of submissions with one stem.
HASH_DIGITS = 8
UNNAMEABLE = re.compile(r"[^\w.-]+")


def batch_id(name: str) -> UUID:
    """Return the id of the batch with a name."""
    return uuid5(BATCH_NAMESPACE, name)


def job_id(batch: UUID, identity: str) -> UUID:
    """Return the id of the job with an identity in a batch."""
    return uuid5(batch, identity)


def name_batch(paths: Sequence[str], asked: dict[str, object]) -> str:
    """Return a batch's name, derived from its paths and options: ``articles-3f9a1c2e``.

    Args:
        paths: arguments of the command line; at least one.
        asked: every option that changes the jobs.
    """
    content = json.dumps([[_identify_path(path) for path in paths], asked], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:HASH_DIGITS]
    return f"{_find_stem(paths[0])}-{digest}"


def _identify_path(path: str) -> str:
    """Return the absolute path of an existing file, so that the current folder does not matter."""
    return str(Path(path).resolve()) if Path(path).exists() else path


def _find_stem(path: str) -> str:
    stem = "stdin" if path == "-" else Path(path).resolve().stem
    return UNNAMEABLE.sub("-", stem).strip("-.")[:40] or "batch"
