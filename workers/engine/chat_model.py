"""LangChain chat model on the engine, so that any chain shares its batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field

from workers.engine.engine import Engine
from workers.generation import Generation, GenerationParams, Part, Prompt, Role, Turn

PROVIDER = "gistmill"
DEFAULTS = GenerationParams()


class ChatGemma(BaseChatModel):
    """Chat model on an engine; ``invoke``, ``batch``, ``stream`` and their async forms share its batch.

    Args:
        engine: a loaded engine.
        model: name of the weights in traces.
        temperature: 0 decodes greedily.
        top_k: number of candidates for the next token, 0 for all.
        top_p: cumulative probability of the candidates.
        max_tokens: maximum number of new tokens.
        repetition_penalty: above 1 makes seen tokens less likely.
        num_beams: above 1 searches beams instead of sampling one sequence.
        seed: makes sampling repeatable.
        stop: strings that end the answer and are not part of it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: Engine = Field(exclude=True, repr=False)
    model: str = "gemma"
    temperature: float = DEFAULTS.temperature
    top_k: int = DEFAULTS.top_k
    top_p: float = DEFAULTS.top_p
    max_tokens: int = DEFAULTS.max_new_tokens
    repetition_penalty: float = DEFAULTS.repetition_penalty
    num_beams: int = DEFAULTS.num_beams
    seed: int | None = None
    stop: list[str] | None = None

    @property
    def _llm_type(self) -> str:
        return f"{PROVIDER}-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**self.model_dump(include=set(SAMPLING_FIELDS)), "fingerprint": self.engine.fingerprint}

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, counted by the weights' own tokenizer."""
        return self.engine.count_tokens(text)

    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return the exact number of tokens of the messages' prompt.

        Raises:
            ValueError: tools are given; Gemma's chat template has no place for them.
        """
        if tools:
            raise ValueError("Gemma's chat template has no place for tools; describe them in a message")
        return self.engine.count_prompt_tokens(self._build_prompt(messages, None))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        generation = self.engine.generate(self._build_prompt(messages, stop), self._build_params(kwargs))
        message = AIMessage(
            generation.text,
            response_metadata=self._describe(generation, kwargs),
            usage_metadata=count_usage(generation),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        pieces = self.engine.stream(self._build_prompt(messages, stop), self._build_params(kwargs))
        for piece in pieces:
            if isinstance(piece, Generation):
                message = AIMessageChunk(
                    content="",
                    response_metadata=self._describe(piece, kwargs),
                    usage_metadata=count_usage(piece),
                    chunk_position="last",
                )
                yield ChatGenerationChunk(message=message)
                return
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = LangSmithParams(
            ls_provider=PROVIDER,
            ls_model_name=kwargs.get("model", self.model),
            ls_model_type="chat",
            ls_temperature=kwargs.get("temperature", self.temperature),
            ls_max_tokens=kwargs.get("max_tokens", self.max_tokens),
        )
        stops = stop or self.stop
        if stops:
            params["ls_stop"] = stops
        return params

    def _build_prompt(self, messages: Sequence[BaseMessage], stop: list[str] | None) -> Prompt:
        stops = stop if stop is not None else self.stop
        return Prompt(build_turns(messages), format=self.engine.prompt_format, stop=tuple(stops or ()))

    def _build_params(self, overrides: dict[str, Any]) -> GenerationParams:
        unknown = sorted(set(overrides) - {*SAMPLING_FIELDS, *METADATA_FIELDS})
        if unknown:
            raise ValueError(f"{', '.join(unknown)} cannot be set here; what can is {', '.join(SAMPLING_FIELDS)}, stop")
        values = {name: overrides.get(name, getattr(self, name)) for name in SAMPLING_FIELDS}
        max_new_tokens, temperature = values.pop("max_tokens"), values.pop("temperature")
        if temperature == 0:
            return GenerationParams(**values, max_new_tokens=max_new_tokens, do_sample=False)
        return GenerationParams(**values, max_new_tokens=max_new_tokens, temperature=temperature)

    def _describe(self, generation: Generation, overrides: dict[str, Any]) -> dict[str, Any]:
        return {
            "model_name": overrides.get("model", self.model),
            "model_provider": PROVIDER,
            "finish_reason": generation.finish_reason.value,
            "fingerprint": self.engine.fingerprint,
        }


SAMPLING_FIELDS = ("temperature", "top_k", "top_p", "max_tokens", "repetition_penalty", "num_beams", "seed")
# Fields that change the metadata of an answer alone.
METADATA_FIELDS = ("model",)


def build_turns(messages: Sequence[BaseMessage]) -> tuple[Turn, ...]:
    """Return messages as turns, alternately of the user and the assistant, as Gemma's chat template requires.

    Consecutive messages of one role become one turn. System messages at the start become one of the system, which joins
    the user turn that follows if the template has no place for it; later ones are of the user.

    Raises:
        ValueError: Gemma's chat template has no place for a message, or for a part of one.
    """
    first = next((index for index, message in enumerate(messages) if not isinstance(message, SystemMessage)), 0)
    is_followed = first < len(messages) and messages[first].type == "human"
    roles = [*(("system",) * first if is_followed else ())]
    roles += [find_role(message) for message in messages[len(roles) :]]
    turns = []
    for role, group in groupby(zip(roles, messages, strict=True), key=itemgetter(0)):
        text = "\n\n".join(read_text(message) for _, message in group)
        turns.append(Turn(role, (Part(text, is_untrusted=True),)))
    return tuple(turns)


def read_text(message: BaseMessage) -> str:
    """Return the text of a message.

    Raises:
        ValueError: it contains more than text.
    """
    others = sorted({block["type"] for block in message.content_blocks} - {"text"})
    if others:
        raise ValueError(f"Gemma's chat template has no place for {', '.join(others)}; describe it in words")
    return message.text


def find_role(message: BaseMessage) -> Role:
    """Return the role of a message's turn.

    Raises:
        ValueError: Gemma's chat template has no place for such a message.
    """
    if message.type == "ai":
        return "assistant"
    if message.type == "human" or isinstance(message, SystemMessage):
        return "user"
    raise ValueError(f"Gemma's chat template has no place for a {message.type} message; send it as a human message")


def count_usage(generation: Generation) -> UsageMetadata:
    """Return the token counts of a generation as LangChain's type."""
    return UsageMetadata(
        input_tokens=generation.prompt_tokens,
        output_tokens=generation.completion_tokens,
        total_tokens=generation.prompt_tokens + generation.completion_tokens,
    )
