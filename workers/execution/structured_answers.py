"""Structured answers of steps: generated until they are valid by their schema, then grounded value by value."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from models.base import Json
from models.claims import Claim
from models.options import JobOptions
from models.output_schema import read_schema
from workers.errors import PermanentError
from workers.execution.attempts import Answer, note_guard
from workers.execution.grounding import Grounder
from workers.execution.job_options import bound_schema
from workers.generation import FinishReason, Generation, GenerationParams, Prompt, TextGenerator
from workers.summarization.grounded import GroundedAnswer
from workers.summarization.structured import find_fault, read_answer
from workers.summarization.value_grounding import GroundedValues, ground_values

# Divisors of the bounds of texts and lists, one for each try: an answer that was cut is shorter the next time.
TIGHTNESSES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class StructuredAnswer:
    """Valid answer of a step.

    Args:
        data: the JSON object.
        answer: its text with the cost of all tries.
    """

    data: Json
    answer: Answer


def generate_structured(
    generator: TextGenerator,
    prompt: Prompt,
    params: GenerationParams,
    schema: str,
    *,
    stopped: threading.Event,
    deadline: float,
) -> StructuredAnswer | None:
    """Generate JSON of a job's schema.

    Args:
        generator: the engine, which keeps to the schema.
        prompt: the step's prompt.
        params: of the first try.
        schema: the job's schema, as text.
        stopped: set when the step must stop.
        deadline: ``time.monotonic`` time at which it must stop.

    Returns:
        The answer; None if it was stopped or the deadline passed.

    Raises:
        PermanentError: no try gave valid JSON.
    """
    guards: list[Json] = []
    spent: list[Generation] = []
    for number, tightness in enumerate(TIGHTNESSES, start=1):
        bounded = bound_schema(schema, params.max_new_tokens, tightness)
        tried = replace(params, seed=(params.seed or 0) + number - 1) if params.do_sample and number > 1 else params
        generation = generator.generate(replace(prompt, schema=bounded), tried, deadline=deadline, cancelled=stopped)
        if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
            return None
        spent.append(generation)
        data = read_answer(generation.text)
        fault = "it is no JSON object" if data is None else find_fault(data, schema)
        if data is not None and fault is None:
            guards += _mark_cut(generation, number)
            return StructuredAnswer(data, _sum_up(generation, spent, tried, guards))
        is_cut = generation.finish_reason is FinishReason.LENGTH
        words = f"cut at {params.max_new_tokens} tokens" if is_cut else f"not valid: {fault}"
        guards.append({"name": "invalid", "words": f"the answer was {words}", "try": number, "stands": False})
    raise PermanentError(
        f"{len(spent)} tries gave no valid JSON of the schema ({guards[-1]['words']}); allow more tokens "
        "(--max-new-tokens), or shorter texts and lists in the schema"
    )


def _mark_cut(generation: Generation, number: int) -> Iterator[Json]:
    if generation.finish_reason is FinishReason.LENGTH:
        words = "the answer was ended at its most tokens: its last values may be cut or empty"
        yield {"name": "cut", "words": words, "try": number, "stands": True}


def _sum_up(last: Generation, spent: list[Generation], params: GenerationParams, guards: list[Json]) -> Answer:
    return Answer(
        text=last.text,
        params=params,
        prompt_tokens=last.prompt_tokens,
        completion_tokens=sum(generation.completion_tokens for generation in spent),
        finish_reason=last.finish_reason,
        seconds=sum(generation.seconds for generation in spent),
        guards=tuple(guards),
    )


def ground_structured(
    grounder: Grounder, claim: Claim, data: Json, options: JobOptions
) -> tuple[GroundedAnswer, tuple[Json, ...]]:
    """Ground a step's structured answer; return it as JSON text with the notes on its values.

    Args:
        grounder: finds the part of the document behind the step.
        claim: the step.
        data: the answer.
        options: of its job.
    """
    source = None if options.grounding == "off" else grounder.find_source(claim)
    schema = options.output_schema or ""
    values = ground_values(
        data,
        read_schema(schema),
        None if source is None else source.text,
        mode=options.grounding,
        language=options.language,
        text=schema,
    )
    located = values.sentences if source is None else tuple(map(source.locate, values.sentences))
    grounded = GroundedAnswer(values.text, located, values.replaced, values.language)
    return grounded, tuple(_describe_values(values, options))


def _describe_values(values: GroundedValues, options: JobOptions) -> Iterator[Json]:
    """Yield the notes on values that were not verified, as entries of ``steps.guards``."""
    if values.dropped:
        words = f"left out, as the document does not bear them out: values of {_list_names(values.dropped)}"
        yield note_guard("ungrounded", words)
    if values.flagged and values.language is None:
        words = f"not borne out by the document: {_list_names(values.flagged)}"
        yield {"name": "ungrounded", "words": words, "try": 0, "stands": options.grounding == "strict"}
    if options.grounding == "off":
        yield note_guard("structured", "structured, not verified: --grounding is off")
    elif values.unchecked:
        yield note_guard("structured", f"choices of the weights, not verified: {_list_names(values.unchecked)}")


def _list_names(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))
