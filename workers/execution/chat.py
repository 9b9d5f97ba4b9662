"""Steps of kind ``chat``: a request's messages go to the engine as they are, and its answer is the job's summary."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from models.base import Json
from models.chat import ChatRequest
from models.claims import Claim
from models.options import JobOptions
from models.results import StepResult
from workers.errors import PermanentError
from workers.execution.store import StepStore
from workers.generation import FinishReason, Generation, GenerationParams, Part, Prompt, TextGenerator, Turn
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
    prompt = make_prompt(ChatRequest.parse(text), generator)
    params = fit_params(generator, prompt, GenerationParams(**options.generation.model_dump()))
    identity = identify_step(prompt, params, prompt_fingerprint=NO_PROMPTS, weights_fingerprint=generator.fingerprint)
    if params.is_deterministic and (cached := store.find_cached(identity)) is not None:
        return cached
    generation = generator.generate(prompt, params, deadline=time.monotonic() + seconds, cancelled=stopped)
    if generation.finish_reason in (FinishReason.CANCELLED, FinishReason.DEADLINE):
        return None
    return _describe(generator, generation, params, identity, remarks)


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
    if room < 1:
        raise PermanentError(
            f"messages have {tokens:,} tokens and the context has {generator.context_tokens:,}; shorten them"
        )
    return replace(params, max_new_tokens=min(params.max_new_tokens, room))


def _describe(
    generator: TextGenerator,
    generation: Generation,
    params: GenerationParams,
    identity: str,
    remarks: tuple[Json, ...],
) -> StepResult:
    return StepResult(
        output=generation.text,
        output_tokens=generation.completion_tokens,
        identity=identity,
        prompt_fingerprint=NO_PROMPTS,
        weights_fingerprint=generator.fingerprint,
        params=params.describe(),
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        finish_reason=generation.finish_reason,
        seconds=generation.seconds,
        guards=remarks,
    )
