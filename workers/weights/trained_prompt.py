"""Which prompt a job gets that names none: the one that its weights were trained under, as their folder says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workers.weights.folder import read_metadata


@dataclass(frozen=True, slots=True)
class TrainedPrompt:
    """How weights were trained to be asked.

    Args:
        style: of the prompt.
        template: the prompt itself, for the style ``custom``.
    """

    style: str = "technical"
    template: str | None = None


# Of weights that nobody trained to summarize.
UNTRAINED = TrainedPrompt()


def read_trained_prompt(weights: Path, adapter: Path | None) -> TrainedPrompt:
    """Return how weights were trained to be asked: what their adapter says comes first.

    Raises:
        WeightsCorruptError: what a folder says about itself cannot be read.
    """
    for folder in (adapter, weights):
        metadata = {} if folder is None else read_metadata(folder)
        if "prompt_style" in metadata:
            return TrainedPrompt(metadata["prompt_style"], metadata.get("prompt_template"))
    return UNTRAINED
