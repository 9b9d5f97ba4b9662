"""Fingerprint of served weights: engines with equal fingerprints give equal outputs under greedy decoding."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

# Files that affect the output besides the tensors; each may be missing.
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True, slots=True)
class Hashes:
    """File hashes of served weights, as returned by ``hash_folder``.

    Args:
        weights: hashes of the weights' folder.
        adapter: hashes of the merged adapter's folder; None without an adapter.
    """

    weights: dict[str, str]
    adapter: dict[str, str] | None


def begin_hashing(folder: Path, adapter: Path | None) -> Future[Hashes]:
    """Hash weights and their adapter in a background thread: about 1 s per GB, with the GIL released."""
    beside = ThreadPoolExecutor(1, thread_name_prefix="hashing")
    hashing = beside.submit(lambda: Hashes(hash_folder(folder), None if adapter is None else hash_folder(adapter)))
    beside.shutdown(wait=False)
    return hashing


def compute_fingerprint(hashes: Hashes, *, dtype: str, quantization: str) -> str:
    """Return the fingerprint of weights as they are served: a SHA-256 in hexadecimal digits."""
    identity = {**asdict(hashes), "dtype": dtype, "quantization": quantization}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def hash_folder(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that affects the output; for a hub snapshot, its commit instead."""
    if folder.parent.name == "snapshots":
        return {"revision": folder.name}
    names = [*FILES, "adapter_config.json", *sorted(path.name for path in folder.glob("*.safetensors"))]
    return {name: _hash_file(folder / name) for name in names if (folder / name).is_file()}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
