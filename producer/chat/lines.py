"""Lines of a batch file: the request around a chat, and the options of the chat that Gistmill can follow.

What is wrong with a line itself refuses its file. What is wrong with the chat in it, such as an option that is not
supported here, is the error of that line alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.chat import ChatMessage, ChatRequest
from models.options import JobOptions, make_options
from models.sampling_params import RANGES, SamplingParams
from models.validation import describe_first_error
from producer.chat.files import MAX_LINE_BYTES
from producer.chat.response_formats import ResponseFormat, choose_schema
from producer.errors import ChatRequestError

URL = "/v1/chat/completions"
MAX_CUSTOM_ID = 512
# Of an answer whose request gives none.
DEFAULT_TOKENS = SamplingParams().max_new_tokens

# Options that say nothing about the answer.
IGNORED = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls"}
)
# Options that are not supported, with the values that ask for nothing.
NEUTRAL: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "stream": (False,),
    "stream_options": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
}


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line: its place in the file, the id that its sender gave it, and the body of its request."""

    number: int
    custom_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LineProblem:
    """Why a file is refused: one line of it, and what is wrong with that."""

    code: str
    line: int
    message: str
    param: str | None = None


class ContentPart(BaseModel):
    """A part of a message's content."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class MessageBody(BaseModel):
    """A message as OpenAI's API has it."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[ContentPart], Field(min_length=1)]

    def make_message(self) -> ChatMessage:
        """Return the message with its parts joined."""
        parts = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return ChatMessage("system" if self.role == "developer" else self.role, parts)


class ChatBody(BaseModel):
    """The body of a request for a chat completion."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    response_format: ResponseFormat | None = None


def parse_line(number: int, data: bytes) -> ChatLine | LineProblem:
    """Return the line with a number, or what is wrong with it."""
    if len(data) > MAX_LINE_BYTES:
        return LineProblem("line_too_long", number, f"line {number} is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return LineProblem("invalid_json_line", number, f"line {number} is not JSON; give one object on each line")
    if not isinstance(values, dict):
        return LineProblem("invalid_json_line", number, f"line {number} is not an object")
    custom_id, body = values.get("custom_id"), values.get("body")
    if not isinstance(custom_id, str) or not custom_id or len(custom_id) > MAX_CUSTOM_ID or not is_storable(custom_id):
        return _refuse(number, "custom_id", f"must be a text of at most {MAX_CUSTOM_ID} characters")
    if values.get("method") != "POST":
        return _refuse(number, "method", "must be POST")
    if values.get("url") != URL:
        return _refuse(number, "url", f"must be {URL}")
    if not isinstance(body, dict):
        return _refuse(number, "body", "must be an object")
    return ChatLine(number, custom_id, body)


def prepare_chat(body: Mapping[str, Any], served: Collection[str]) -> tuple[ChatRequest, JobOptions]:
    """Return the chat of a line and the options of its job.

    Args:
        body: body of the request.
        served: names of weights that are known.

    Raises:
        ChatRequestError: the body is invalid, or asks for what is not supported.
    """
    try:
        chat = ChatBody.model_validate(body)
    except ValidationError as error:
        place, words = describe_first_error(error)
        raise ChatRequestError(f"{place}: {words}", param=place) from None
    _check_extra(chat.model_extra or {})
    if chat.model not in served:
        names = ", ".join(sorted(served))
        raise ChatRequestError(
            f"there is no model {chat.model!r}; give one of {names}", param="model", code="model_not_found"
        )
    stop = () if chat.stop is None else (chat.stop,) if isinstance(chat.stop, str) else tuple(chat.stop)
    request = ChatRequest(tuple(message.make_message() for message in chat.messages), tuple(filter(None, stop)))
    if not is_storable(request.dump()):
        raise ChatRequestError("messages hold characters that are no text (lone surrogates)", param="messages")
    text = "".join(message.content for message in request.messages)
    generation = choose_generation(chat)
    schema = choose_schema(chat.response_format, text=text, stop=request.stop, max_tokens=generation["max_new_tokens"])
    return request, make_options(grounding="off", weights=chat.model, generation=generation, output_schema=schema)


def choose_generation(chat: ChatBody) -> dict[str, Any]:
    """Return the sampling parameters of a chat; without any they are those of OpenAI's API."""
    temperature = 1.0 if chat.temperature is None else chat.temperature
    top_p = 1.0 if chat.top_p is None else chat.top_p
    is_greedy = temperature < RANGES["temperature"].minimum or top_p == 0
    return {
        "do_sample": not is_greedy,
        "temperature": 1.0 if is_greedy else temperature,
        "top_p": 1.0 if is_greedy else top_p,
        "top_k": chat.top_k or 0,
        "repetition_penalty": 1.0 if chat.repetition_penalty is None else chat.repetition_penalty,
        "max_new_tokens": chat.max_completion_tokens or chat.max_tokens or DEFAULT_TOKENS,
        "seed": chat.seed,
    }


def is_storable(text: str) -> bool:
    """Tell whether Postgres can store a text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _check_extra(extra: Mapping[str, Any]) -> None:
    for name, value in extra.items():
        if name in IGNORED or value is None or value in NEUTRAL.get(name, ()):
            continue
        raise ChatRequestError(f"{name} is not supported here; leave it out", param=name, code="unsupported_parameter")


def _refuse(number: int, param: str, words: str) -> LineProblem:
    return LineProblem("invalid_request", number, f"line {number}: {param} {words}", param)
