"""Fingerprint of served weights: engines with equal fingerprints give equal outputs under greedy decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

# Files that decide how a text is encoded; each may be missing.
ENCODING_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json")
# Files that affect the output besides the tensors; each may be missing.
FILES = ("config.json", "generation_config.json", *ENCODING_FILES)
# Bytes read at a time: for each piece the thread waits twice for the GIL, 5 ms or longer while another thread imports.
HASHED_BYTES = 1 << 25


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


def fingerprint_served(server: Mapping[str, object], hashes: Mapping[str, object]) -> str:
    """Return the fingerprint of weights that a server has: a SHA-256 in hexadecimal digits.

    Args:
        server: its program, version and model.
        hashes: hashes of the files that are known here: of the tokenizer at least.
    """
    return hashlib.sha256(json.dumps([server, hashes], sort_keys=True).encode()).hexdigest()


def compute_fingerprint(hashes: Hashes, *, dtype: str, quantization: str) -> str:
    """Return the fingerprint of weights as they are served: a SHA-256 in hexadecimal digits."""
    identity = {**asdict(hashes), "dtype": dtype, "quantization": quantization}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def hash_folder(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that affects the output; for a hub snapshot, its commit instead."""
    if folder.parent.name == "snapshots":
        return {"revision": folder.name}
    names = [*FILES, "adapter_config.json", *sorted(path.name for path in folder.glob("*.safetensors"))]
    return hash_files(folder, names)


def hash_files(folder: Path, names: Iterable[str] = FILES) -> dict[str, str]:
    """Return the SHA-256 of files of a folder; by default of those besides the tensors."""
    return {name: _hash_file(folder / name) for name in names if (folder / name).is_file()}


def has_same_tokenizer(first: Path, second: Path) -> bool:
    """Return whether two weights folders have equal tokenizers and chat templates."""
    return first.samefile(second) or hash_files(first, ENCODING_FILES) == hash_files(second, ENCODING_FILES)


def _hash_file(path: Path) -> str:
    digest, piece = hashlib.sha256(), bytearray(min(HASHED_BYTES, path.stat().st_size or 1))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            digest.update(memoryview(piece)[:count])
    return digest.hexdigest()
