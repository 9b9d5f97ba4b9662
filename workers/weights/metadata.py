"""Metadata of an adapter: ``gistmill.json`` beside PEFT's own files.

An adapter works only with the base and under the prompt of its training, so both are recorded when it is saved and
checked when it is used.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.generation import PromptFormat
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError
from workers.weights.folder import METADATA_FILE, check_folder, find_folder, list_tensors, read_metadata
from workers.weights.values import read_first_values

# The first values of every tensor identify weights as reliably as all values, in 1 s instead of 1 min.
FINGERPRINT_VALUES = 4096
ADVICE = "name a folder that gistmill finetune has made"


@dataclass(frozen=True, slots=True)
class AdapterMetadata:
    """Content of ``gistmill.json``.

    Args:
        prompt_format: prompt format of the adapted weights.
        prompt_style: style of the summarization prompt in training.
        base: name of the base weights.
        base_fingerprint: fingerprint of the base's tensors.
        prompt_template: the user's prompt, for the style ``custom``.
        check_rate: share of the sentences written by the adapted weights that passed their check.
        training: settings of the training run.
        data: counts and hash of the training data.
        metrics: losses and scores before and after training.
    """

    prompt_format: PromptFormat
    prompt_style: str
    base: str
    base_fingerprint: str
    prompt_template: str | None = None
    check_rate: float | None = None
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words, facts = (self.prompt_style, self.base, self.base_fingerprint), (self.training, self.data, self.metrics)
        if not all(isinstance(word, str) for word in words) or not all(isinstance(fact, dict) for fact in facts):
            raise TypeError("a value has the wrong type")

    def write(self, folder: Path) -> None:
        """Write the metadata into an adapter or weights folder."""
        (folder / METADATA_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> AdapterMetadata:
        """Read the metadata of an adapter or weights folder.

        Raises:
            AdapterUnreadableError: the file is missing or not metadata of an adapter.
            WeightsCorruptError: the file is broken.
        """
        path = folder / METADATA_FILE
        if not path.is_file():
            raise AdapterUnreadableError(f"{path} cannot be read, it is missing: {ADVICE}")
        values = read_metadata(folder)
        try:
            return cls(**values)
        except TypeError as error:
            raise AdapterUnreadableError(f"{path} is not the note of an adapter ({error}): {ADVICE}") from error

    def check_base(self, folder: Path) -> None:
        """Check that the adapter was trained for the base in a folder.

        Raises:
            AdapterMismatchError: the base has other tensors.
        """
        self.check_fingerprint(fingerprint_base(folder), str(folder))

    def check_fingerprint(self, fingerprint: str, name: str) -> None:
        """Check that the adapter was trained for the base with a fingerprint.

        Raises:
            AdapterMismatchError: the base has other tensors.
        """
        if fingerprint != self.base_fingerprint:
            raise AdapterMismatchError(
                f"the adapter was trained for {self.base} ({self.base_fingerprint[:12]}), not for {name} "
                f"({fingerprint[:12]}): give it the base weights it was trained for"
            )


def find_adapter(name: str, *, base: Path) -> Path:
    """Return the folder of an adapter (folder or hub id) for a base.

    An adapter from another tool has no metadata; its merge fails if it does not fit the base.

    Raises:
        WeightsError: there is no such adapter, or its metadata names another base.
    """
    folder = find_folder(name, kind="adapter")
    if (folder / METADATA_FILE).is_file():
        AdapterMetadata.read(folder).check_base(base)
    return folder


def fingerprint_base(folder: Path) -> str:
    """Return the fingerprint of base weights: a SHA-256 of the names, shapes and first values of their tensors.

    Values are hashed as bfloat16, so the same weights in another precision have the same fingerprint.

    Raises:
        WeightsError: the folder has no safetensors weights, or damaged ones.
    """
    check_folder(folder)
    list_tensors(folder)
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        for name, tensor, values in read_first_values(file, FINGERPRINT_VALUES):
            digest.update(f"{name}{list(tensor.shape)}".encode())
            digest.update(values)
    return digest.hexdigest()
