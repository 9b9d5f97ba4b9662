"""Answers of OpenAI's API, validated: a server may be of any version, or not the server it seems to be."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationError

from workers.engine.errors import RequestFailedError, UnsupportedRequestError

# Part of a prompt that a server must have read; templates of servers differ from that of the weights by some tokens.
MIN_PROMPT_SHARE = 0.9


class TokenLogprob(BaseModel):
    """Log-probability of one token."""

    logprob: float


class ServedMessage(BaseModel):
    """Message of a chat completion."""

    content: str | None = None


class ServedChoice(BaseModel):
    """The one generation of a request."""

    text: str | None = None
    message: ServedMessage | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    # One entry per token of the prompt, by its id; None for the first.
    prompt_logprobs: list[dict[str, TokenLogprob] | None] | None = None

    @property
    def content(self) -> str:
        """Generated text of a completion or a chat completion."""
        return (self.message.content if self.message else self.text) or ""


class ServedUsage(BaseModel):
    """Token counts by the server."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ServedCompletion(BaseModel):
    """Answer to a completion or a chat completion."""

    choices: list[ServedChoice] = Field(min_length=1)
    usage: ServedUsage = ServedUsage()

    @property
    def choice(self) -> ServedChoice:
        """The one generation."""
        return self.choices[0]


class ServedModel(BaseModel):
    """Model in a server's list; an adapter names its base as its parent."""

    id: str
    owned_by: str = ""
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class ServedModels(BaseModel):
    """Answer with the models of a server."""

    data: list[ServedModel]

    def find_context(self, model: ServedModel) -> int | None:
        """Return the context of a model, which an adapter has from its base; None if the server does not say."""
        contexts = {served.id: served.max_model_len for served in self.data}
        return model.max_model_len or contexts.get(model.parent or "")


def read_completion(body: bytes) -> ServedCompletion:
    """Return a completion.

    Raises:
        RequestFailedError: the answer is not one.
    """
    try:
        return ServedCompletion.model_validate_json(body)
    except ValidationError as error:
        raise RequestFailedError(
            f"the engine's server gave an answer that is no completion: {_shorten(body)}"
        ) from error


def check_prompt_count(answer: ServedCompletion, *, expected: int) -> None:
    """Refuse the answer to a prompt that the server has cut to its context, as Ollama does without a word.

    Args:
        answer: of the server.
        expected: tokens of the prompt, which the server's own template may change by some.

    Raises:
        UnsupportedRequestError: the server read much less.
    """
    counted = answer.usage.prompt_tokens
    if counted is not None and counted < MIN_PROMPT_SHARE * expected:
        raise UnsupportedRequestError(
            f"the engine's server read {counted} of the {expected} tokens of the prompt; give it a larger context, or "
            "set GISTMILL_CONTEXT_TOKENS to the one that it has"
        )


def read_error(body: bytes) -> str:
    """Return the message of a server's error, in one line."""
    try:
        message = _ServerError.model_validate_json(body).read_message()
    except ValidationError:
        message = ""
    return " ".join((message or _shorten(body)).split())


class _ServerError(BaseModel):
    error: dict[str, object] | str | None = None
    detail: object = None
    message: str | None = None

    def read_message(self) -> str:
        if isinstance(self.error, dict):
            return str(self.error.get("message", self.error))
        return str(self.error or self.message or self.detail or "")


def _shorten(body: bytes) -> str:
    text = body.decode(errors="replace")
    return text if len(text) <= 200 else f"{text[:200]}…"
