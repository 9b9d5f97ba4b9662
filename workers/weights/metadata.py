"""What an adapter folder says about itself: ``gistmill.json`` beside PEFT's own files.

An adapter works only for the base it was trained for and only under the prompt it was trained with, so both are
written down when it is saved and checked when it is used.
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

# The first values of every tensor identify weights as well as all of them, in a second instead of a minute.
FINGERPRINT_VALUES = 4096
ADVICE = "name a folder that gistmill finetune has made"


@dataclass(frozen=True, slots=True)
class AdapterMetadata:
    """The content of ``gistmill.json``.

    Args:
        prompt_format: how to prompt the adapted weights.
        prompt_style: the style of summarization prompt that the adapter was trained under.
        prompt_template: the user's own prompt, for the style ``custom``.
        base: name of the base weights.
        base_fingerprint: identity of the base's tensors.
        training: the settings of the run.
        data: counts and hash of what it was trained on.
        metrics: losses and scores, before and after.
    """

    prompt_format: PromptFormat
    prompt_style: str
    base: str
    base_fingerprint: str
    prompt_template: str | None = None
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words, facts = (self.prompt_style, self.base, self.base_fingerprint), (self.training, self.data, self.metrics)
        if not all(isinstance(word, str) for word in words) or not all(isinstance(each, dict) for each in facts):
            raise TypeError("a value is of another type than in any note")

    def write(self, folder: Path) -> None:
        """Write the note into an adapter or weights folder."""
        (folder / METADATA_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> AdapterMetadata:
        """Read the note of an adapter or weights folder.

        Raises:
            AdapterUnreadableError: there is none, or it is not that of an adapter.
            WeightsCorruptError: it is broken.
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
        """Refuse a base that the adapter was not trained for.

        Raises:
            AdapterMismatchError: its tensors are others.
        """
        self.check_fingerprint(fingerprint_base(folder), str(folder))

    def check_fingerprint(self, fingerprint: str, name: str) -> None:
        """Do the same for weights whose fingerprint is known.

        Raises:
            AdapterMismatchError: their tensors are others.
        """
        if fingerprint != self.base_fingerprint:
            raise AdapterMismatchError(
                f"the adapter was trained for {self.base} ({self.base_fingerprint[:12]}), not for {name} "
                f"({fingerprint[:12]}): give it the base weights it was trained for"
            )


def find_adapter(name: str, *, base: Path) -> Path:
    """Return the folder of an adapter (folder or hub id) that can be merged into a base.

    An adapter of unknown origin has no note; whether it fits is seen when it is merged.

    Raises:
        WeightsError: there is none, or it says that it was trained for another base.
    """
    folder = find_folder(name, kind="adapter")
    if (folder / METADATA_FILE).is_file():
        AdapterMetadata.read(folder).check_base(base)
    return folder


def fingerprint_base(folder: Path) -> str:
    """Return the identity of base weights: names, shapes and first values of their tensors.

    The values are compared as bfloat16, so the same weights saved in another precision are the same base.

    Raises:
        WeightsError: the folder holds no safetensors weights, or damaged ones.
    """
    check_folder(folder)
    list_tensors(folder)
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        for name, tensor, values in read_first_values(file, FINGERPRINT_VALUES):
            digest.update(f"{name}{list(tensor.shape)}".encode())
            digest.update(values)
    return digest.hexdigest()
