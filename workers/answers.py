"""Asks the engine until the guards are content, or until they have been asked often enough."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from models.base import Json
from workers.generation import FinishReason, GenerationParams, TextGenerator
from workers.summarization.limits import Limits
from workers.summarization.rendering import RenderedStep


@dataclass(frozen=True, slots=True)
class Answer:
    """The text that a step keeps, and all that it took to get it.

    Args:
        text: cleaned, not empty.
        params: those that gave it.
        prompt_tokens: size of the prompt.
        completion_tokens: of all tries together.
        finish_reason: of the try that gave the text.
        seconds: of all tries together.
        guards: every guard that fired in any try; those that stand mark the text.
    """

    text: str
    params: GenerationParams
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    seconds: float
    guards: tuple[Json, ...] = ()


def ask(
    generator: TextGenerator,
    rendered: RenderedStep,
    params: GenerationParams,
    limits: Limits,
    *,
    language: str | None,
    stopped: threading.Event,
    deadline: float,
) -> Answer | None:
    """Generate a step's text.

    Returns:
        The answer; None if it was stopped or its deadline passed.
    """
    generation = generator.generate(rendered.prompt, params, deadline=deadline, cancelled=stopped)
    if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
        return None
    return Answer(
        text=generation.text.strip(),
        params=params,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        finish_reason=generation.finish_reason,
        seconds=generation.seconds,
    )
