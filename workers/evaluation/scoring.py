"""Many short texts scored behind one prompt, in the order that wastes least."""

from __future__ import annotations

from collections.abc import Iterable

from workers.evaluation.conditioning import continue_with
from workers.generation import Prompt, TextGenerator


def score_texts(generator: TextGenerator, prompt: Prompt, texts: Iterable[str]) -> dict[str, float]:
    """Return the log-probability of each text behind the prompt.

    The engine pads what it scores together to one length, so texts of like length go side by side.
    """
    ordered = sorted(set(texts), key=len)
    continuations = [continue_with(text, prompt.format) for text in ordered]
    return dict(zip(ordered, generator.score_continuations(prompt, continuations), strict=True))
