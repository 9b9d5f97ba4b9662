"""Trained prompt: the default prompt of a job, from the metadata of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workers.weights.folder import read_metadata


@dataclass(frozen=True, slots=True)
class TrainedPrompt:
    """Prompt under which weights were trained.

    Args:
        style: style of the prompt.
        template: the user's prompt, for the style ``custom``.
        check_rate: share of the sentences written under it that passed their check after the training.
    """

    style: str = "technical"
    template: str | None = None
    check_rate: float | None = None


# Default of weights without fine-tuning for summaries.
UNTRAINED = TrainedPrompt()


def read_trained_prompt(weights: Path, adapter: Path | None) -> TrainedPrompt:
    """Read the trained prompt; the adapter's metadata takes precedence over that of the weights.

    Raises:
        WeightsCorruptError: a folder's metadata is unreadable.
    """
    for folder in (adapter, weights):
        metadata = {} if folder is None else read_metadata(folder)
        if "prompt_style" in metadata:
            return TrainedPrompt(metadata["prompt_style"], metadata.get("prompt_template"), metadata.get("check_rate"))
    return UNTRAINED
