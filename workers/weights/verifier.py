"""Folders of verifiers: an adapter in PEFT's format, its two-way head, and metadata in ``verifier.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError
from workers.weights.folder import ADAPTER_TENSORS
from workers.weights.metadata import fingerprint_base

VERIFIER_METADATA = "verifier.json"
VERIFIER_HEAD = "head.safetensors"
VERIFIER_FILES = ("adapter_config.json", ADAPTER_TENSORS, VERIFIER_HEAD, VERIFIER_METADATA)
PACKAGED_VERIFIER = "gemma-3-270m-verifier"


@dataclass(frozen=True, slots=True)
class VerifierMetadata:
    """Content of ``verifier.json``.

    Args:
        base: name of the base weights.
        base_fingerprint: fingerprint of the base's tensors.
        threshold: smallest probability of a claim that counts as supported.
        mark_threshold: probability below which a claim is marked as a likely hallucination.
        training: settings of the training run.
        data: counts and hash of the training data.
        metrics: scores on held-out claims.
    """

    base: str
    base_fingerprint: str
    threshold: float
    mark_threshold: float
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.base, str) or not isinstance(self.base_fingerprint, str):
            raise TypeError("a name has the wrong type")
        for threshold in (self.threshold, self.mark_threshold):
            if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
                raise TypeError("a threshold is no probability")

    def write(self, folder: Path) -> None:
        """Write the metadata into a verifier's folder."""
        (folder / VERIFIER_METADATA).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> VerifierMetadata:
        """Read the metadata of a verifier's folder.

        Raises:
            AdapterUnreadableError: the folder is no verifier, or a file of it is missing or broken.
        """
        missing = [name for name in VERIFIER_FILES if not (folder / name).is_file()]
        if missing:
            raise AdapterUnreadableError(
                f"{folder} holds no verifier: {missing[0]} is missing; name a folder that "
                "`gistmill finetune --task verify` has made, or set GISTMILL_VERIFIER=none"
            )
        try:
            return cls(**json.loads((folder / VERIFIER_METADATA).read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError) as error:
            raise AdapterUnreadableError(
                f"{folder / VERIFIER_METADATA} cannot be read ({error}); train or copy the verifier again"
            ) from error

    def check_base(self, folder: Path) -> None:
        """Check that the verifier was trained for the base in a folder.

        Raises:
            AdapterMismatchError: the base has other tensors.
        """
        fingerprint = fingerprint_base(folder)
        if fingerprint != self.base_fingerprint:
            raise AdapterMismatchError(
                f"the verifier was trained for {self.base} ({self.base_fingerprint[:12]}), not for {folder} "
                f"({fingerprint[:12]}): give it the base weights it was trained for"
            )


def find_packaged_verifier() -> Path | None:
    """Return the folder of the packaged verifier; None if its files are missing."""
    folder = Path(__file__).parent / "verifiers" / PACKAGED_VERIFIER
    return folder if all((folder / name).is_file() for name in VERIFIER_FILES) else None
