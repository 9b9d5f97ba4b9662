"""Which prompt a job gets that names none: the one that its weights were trained under, as their folder says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workers.weights.folder import read_card


@dataclass(frozen=True, slots=True)
class Manner:
    """How weights were trained to be asked.

    Args:
        style: of the prompt.
        template: the prompt itself, for the style ``custom``.
    """

    style: str = "technical"
    template: str | None = None


# Of weights that nobody trained to summarize.
UNTRAINED = Manner()


def read_manner(weights: Path, adapter: Path | None) -> Manner:
    """Return how weights were trained to be asked: what their adapter says comes first.

    Raises:
        WeightsCorruptError: what a folder says about itself cannot be read.
    """
    for folder in (adapter, weights):
        card = {} if folder is None else read_card(folder)
        if "prompt_style" in card:
            return Manner(card["prompt_style"], card.get("prompt_template"))
    return UNTRAINED
