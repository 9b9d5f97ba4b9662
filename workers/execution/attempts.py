"""Generation of a step's text: repeated with other parameters until no guard fires or the tries are used up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from models.base import Json
from workers.errors import PermanentError
from workers.generation import FinishReason, Generation, GenerationParams, TextGenerator
from workers.summarization.guards import Verdict, check_output, choose_best
from workers.summarization.rendering import RenderedStep
from workers.summarization.retries import retry_params


@dataclass(frozen=True, slots=True)
class Answer:
    """Generated text that a step keeps, with the cost of all tries.

    Args:
        text: cleaned, not empty.
        params: of the try that gave the text.
        prompt_tokens: length of the prompt.
        completion_tokens: of all tries together.
        finish_reason: of the try that gave the text.
        seconds: of all tries together.
        guards: every guard that fired in any try; those with ``stands`` apply to the text. Remarks are notes.
    """

    text: str
    params: GenerationParams
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    seconds: float
    guards: tuple[Json, ...] = ()


def generate_answer(
    generator: TextGenerator,
    rendered: RenderedStep,
    params: GenerationParams,
    *,
    language: str | None,
    words: int | None,
    stopped: threading.Event,
    deadline: float,
) -> Answer | None:
    """Generate a step's text.

    Args:
        generator: the engine.
        rendered: the step's prompt and the texts in it.
        params: of the first try; later tries change them.
        language: requested language; None for that of the source.
        words: requested length of a final summary.
        stopped: set when the step must stop.
        deadline: ``time.monotonic`` time at which it must stop.

    Returns:
        The answer; None if it was stopped or the deadline passed.

    Raises:
        PermanentError: no try gave any text.
    """
    tries: list[tuple[Verdict, Generation, GenerationParams]] = []
    next_params: GenerationParams | None = params
    while next_params is not None:
        generation = generator.generate(rendered.prompt, next_params, deadline=deadline, cancelled=stopped)
        if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
            return None
        verdict = check_output(
            generation.text,
            finish_reason=generation.finish_reason,
            source=rendered.source,
            prompt=rendered.prompt,
            language=language,
            words=words,
        )
        tries.append((verdict, generation, next_params))
        if verdict.is_clean:
            break
        next_params = retry_params(params, verdict.marks, attempt=len(tries))
    return _keep_best(tries)


def note_guard(name: str, words: str) -> Json:
    """Return the entry of a remark in ``steps.guards``; it does not make the job partial."""
    return {"name": name, "words": words, "try": 0, "stands": False, "is_note": True}


def _keep_best(tries: Sequence[tuple[Verdict, Generation, GenerationParams]]) -> Answer:
    best = choose_best([verdict for verdict, _, _ in tries])
    if not best.is_usable:
        raise PermanentError(f"{len(tries)} tries gave no text: {'; '.join(best.notes)}")
    _, last, params = next(attempt for attempt in reversed(tries) if attempt[0] is best)
    return Answer(
        text=best.text,
        params=params,
        prompt_tokens=last.prompt_tokens,
        completion_tokens=sum(generation.completion_tokens for _, generation, _ in tries),
        finish_reason=last.finish_reason,
        seconds=sum(generation.seconds for _, generation, _ in tries),
        guards=(
            *(
                {"name": mark.guard, "words": mark.words, "try": number, "stands": verdict is best}
                for number, (verdict, _, _) in enumerate(tries, start=1)
                for mark in verdict.marks
            ),
            *(note_guard(remark.name, remark.words) for remark in best.remarks),
        ),
    )
