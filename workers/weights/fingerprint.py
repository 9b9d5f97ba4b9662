"""The identity of what generates: two engines with the same fingerprint say the same under greedy decoding."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

# What decides the text besides the tensors; a missing one counts as missing.
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@dataclass(frozen=True, slots=True)
class Hashes:
    """What weights are, file by file: the result of ``hash_folder``.

    Args:
        weights: of their own folder.
        adapter: of that of the adapter merged into them, None for none.
    """

    weights: dict[str, str]
    adapter: dict[str, str] | None


def begin_hashing(folder: Path, adapter: Path | None) -> Future[Hashes]:
    """Hash weights and their adapter in a thread of their own: a second per gigabyte, outside of Python."""
    beside = ThreadPoolExecutor(1, thread_name_prefix="hashing")
    hashing = beside.submit(lambda: Hashes(hash_folder(folder), None if adapter is None else hash_folder(adapter)))
    beside.shutdown(wait=False)
    return hashing


def compute_fingerprint(hashes: Hashes, *, dtype: str, quantization: str) -> str:
    """Return the fingerprint (sha256, hex) of weights as they are served."""
    identity = {**asdict(hashes), "dtype": dtype, "quantization": quantization}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def hash_folder(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file that decides what the weights say; a hub snapshot is its commit."""
    if folder.parent.name == "snapshots":
        return {"revision": folder.name}
    names = [*FILES, "adapter_config.json", *sorted(path.name for path in folder.glob("*.safetensors"))]
    return {name: _hash_file(folder / name) for name in names if (folder / name).is_file()}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
