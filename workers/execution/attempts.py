"""Asks the engine until the guards are content, or until they have been asked often enough."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from models.base import Json
from workers.errors import PermanentError
from workers.generation import FinishReason, Generation, GenerationParams, TextGenerator
from workers.summarization.guards import Verdict, check_output, choose_best
from workers.summarization.limits import Limits
from workers.summarization.rendering import RenderedStep
from workers.summarization.retries import retry_params


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

    Args:
        generator: the engine.
        rendered: the step's prompt and the texts in it.
        params: of the first try; later tries change them.
        limits: as they were planned.
        language: that was asked for; None for that of the source.
        stopped: set when the step must stop.
        deadline: ``time.monotonic`` value at which it must stop.

    Returns:
        The answer; None if it was stopped or its deadline passed.

    Raises:
        PermanentError: no try gave any text.
    """
    tries: list[tuple[Verdict, Generation, GenerationParams]] = []
    max_tokens = limits.allowed_answer_tokens(rendered.tokens)
    wanted: GenerationParams | None = params
    while wanted is not None:
        generation = generator.generate(rendered.prompt, wanted, deadline=deadline, cancelled=stopped)
        if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
            return None
        verdict = check_output(
            generation.text,
            finish_reason=generation.finish_reason,
            source=rendered.source,
            prompt=rendered.prompt,
            language=language,
        )
        tries.append((verdict, generation, wanted))
        is_clean = verdict.is_clean
        wanted = None if is_clean else retry_params(params, verdict.marks, attempt=len(tries), max_tokens=max_tokens)
    return _keep_best(tries)


def _keep_best(tries: Sequence[tuple[Verdict, Generation, GenerationParams]]) -> Answer:
    best = choose_best([verdict for verdict, _, _ in tries])
    if not best.is_usable:
        raise PermanentError(f"{len(tries)} tries gave no text: {'; '.join(best.notes)}")
    kept = next(each for each in reversed(tries) if each[0] is best)
    return Answer(
        text=best.text,
        params=kept[2],
        prompt_tokens=kept[1].prompt_tokens,
        completion_tokens=sum(generation.completion_tokens for _, generation, _ in tries),
        finish_reason=kept[1].finish_reason,
        seconds=sum(generation.seconds for _, generation, _ in tries),
        guards=tuple(
            {"name": mark.guard, "words": mark.words, "try": number, "stands": verdict is best}
            for number, (verdict, _, _) in enumerate(tries, start=1)
            for mark in verdict.marks
        ),
    )
