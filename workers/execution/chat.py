"""Steps of kind ``chat``: a request's messages go to the engine as they are, and its answer is the job's summary."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

from models.base import Json
from models.chat import ChatRequest
from models.claims import Claim
from models.options import JobOptions
from models.output_schema import read_schema
from models.results import StepResult
from models.schema_limits import measure_shortest
from workers.errors import PermanentError
from workers.execution.attempts import Answer
from workers.execution.store import StepStore
from workers.execution.structured_answers import generate_structured
from workers.generation import FinishReason, GenerationParams, Part, Prompt, TextGenerator, Turn
from workers.summarization.rendering import identify_step

# In place of the fingerprint of a prompt set, because nothing is added to the messages.
NO_PROMPTS = "chat"


def answer_chat(
    generator: TextGenerator,
    store: StepStore,
    claim: Claim,
    options: JobOptions,
    *,
    stopped: threading.Event,
    seconds: float,
    remarks: tuple[Json, ...],
) -> StepResult | None:
    """Answer the request of a chat job; None if the step was stopped or its time ran out.

    Raises:
        PermanentError: the messages are no prompt, or leave no room for an answer.
    """
    text, _ = store.read_document(claim)
    # The schema is a part of the prompt's identity, although every try gives it further bounds.
    prompt = replace(make_prompt(ChatRequest.parse(text), generator), schema=options.output_schema)
    params = fit_params(generator, prompt, GenerationParams(**options.generation.model_dump()))
    identity = identify_step(prompt, params, prompt_fingerprint=NO_PROMPTS, weights_fingerprint=generator.fingerprint)
    if params.is_deterministic and (cached := store.find_cached(identity)) is not None:
        return cached
    deadline = time.monotonic() + seconds
    if options.output_schema is None:
        answer = _generate(generator, prompt, params, stopped=stopped, deadline=deadline)
    else:
        answer = _generate_json(generator, prompt, params, options.output_schema, stopped=stopped, deadline=deadline)
    return None if answer is None else _describe(generator, answer, identity, remarks)


def make_prompt(request: ChatRequest, generator: TextGenerator) -> Prompt:
    """Return the prompt of a request; control tokens in its messages are plain text.

    Raises:
        PermanentError: the messages are no prompt.
    """
    turns = tuple(Turn(message.role, (Part(message.content, is_untrusted=True),)) for message in request.messages)
    try:
        return Prompt(turns, generator.prompt_format, request.stop)
    except ValueError as error:
        raise PermanentError(f"messages: {error}") from error


def fit_params(generator: TextGenerator, prompt: Prompt, params: GenerationParams) -> GenerationParams:
    """Return the parameters with a maximum of tokens that the context has room for.

    Raises:
        PermanentError: the prompt fills the context.
    """
    tokens = generator.count_prompt_tokens(prompt)
    room = generator.context_tokens - tokens
    if room < (1 if prompt.schema is None else measure_shortest(read_schema(prompt.schema))):
        raise PermanentError(
            f"messages have {tokens:,} tokens and the context has {generator.context_tokens:,}; shorten them"
        )
    return replace(params, max_new_tokens=min(params.max_new_tokens, room))


def _generate(
    generator: TextGenerator, prompt: Prompt, params: GenerationParams, *, stopped: threading.Event, deadline: float
) -> Answer | None:
    generation = generator.generate(prompt, params, deadline=deadline, cancelled=stopped)
    if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
        return None
    return Answer(
        text=generation.text,
        params=params,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        finish_reason=generation.finish_reason,
        seconds=generation.seconds,
    )


def _generate_json(
    generator: TextGenerator,
    prompt: Prompt,
    params: GenerationParams,
    schema: str,
    *,
    stopped: threading.Event,
    deadline: float,
) -> Answer | None:
    found = generate_structured(generator, prompt, params, schema, stopped=stopped, deadline=deadline)
    # Not the text as generated, whose escapes may stand for characters that Postgres cannot store.
    return None if found is None else replace(found.answer, text=json.dumps(found.data, ensure_ascii=False))


def _describe(generator: TextGenerator, answer: Answer, identity: str, remarks: tuple[Json, ...]) -> StepResult:
    return StepResult(
        output=answer.text,
        output_tokens=answer.completion_tokens,
        identity=identity,
        prompt_fingerprint=NO_PROMPTS,
        weights_fingerprint=generator.fingerprint,
        params=answer.params.describe(),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        finish_reason=answer.finish_reason,
        seconds=answer.seconds,
        guards=(*remarks, *answer.guards),
    )
