"""Dialects of OpenAI's API: fields and paths in which the servers differ, and the bodies of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workers.generation import GenerationParams


class PromptForm(StrEnum):
    """Form in which a server takes prompts."""

    IDS = "token ids"
    TEXT = "text"  # for weights without a chat template
    MESSAGES = "messages"  # for weights with one, which the server applies


@dataclass(frozen=True, slots=True)
class Dialect:
    """Peculiarities of one kind of server.

    Args:
        name: of the server's program.
        owner: ``owned_by`` of its models, by which it is recognised.
        health: path that answers while it serves.
        version: path of its version; None if it has none.
        version_key: field of that answer.
        repetition_penalty: field for it; None if the server has none.
        has_top_k: whether it takes ``top_k``.
        no_top_k: value of it that keeps all tokens.
        has_token_fields: whether it takes ids that end a generation, and returns the generated ids.
    """

    name: str
    owner: str
    health: str = "/health"
    version: str | None = None
    version_key: str = "version"
    repetition_penalty: str | None = None
    has_top_k: bool = True
    no_top_k: int = -1
    has_token_fields: bool = False

    @property
    def ignored(self) -> list[str]:
        """Sampling parameters that the server does not have."""
        lacks = {"top_k": not self.has_top_k, "repetition_penalty": self.repetition_penalty is None}
        return [name for name, is_missing in lacks.items() if is_missing]


VLLM = Dialect("vllm", "vllm", version="/version", repetition_penalty="repetition_penalty", has_token_fields=True)
SGLANG = Dialect("sglang", "sglang", version="/server_info", repetition_penalty="repetition_penalty")
LLAMA_CPP = Dialect(
    "llama.cpp", "llamacpp", version="/props", version_key="build_info", repetition_penalty="repeat_penalty", no_top_k=0
)
LLAMA_CPP_PYTHON = Dialect(
    "llama-cpp-python", "me", health="/v1/models", repetition_penalty="repeat_penalty", no_top_k=0
)
OLLAMA = Dialect("ollama", "library", health="/", version="/api/version", has_top_k=False)
# Any other server gets only the fields of OpenAI's own API.
OTHER = Dialect("openai", "", health="/v1/models", has_top_k=False)
DIALECTS = {dialect.owner: dialect for dialect in (VLLM, SGLANG, LLAMA_CPP, LLAMA_CPP_PYTHON, OLLAMA)}


def build_body(
    dialect: Dialect, model: str, params: GenerationParams, *, stop: Sequence[str] = (), stop_ids: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the body of a request without its prompt; every parameter is given, as servers have other defaults."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": params.max_new_tokens,
        "temperature": params.temperature if params.do_sample else 0.0,
        "stream": False,
    }
    if params.do_sample:
        body["top_p"] = params.top_p
        if dialect.has_top_k:
            body["top_k"] = params.top_k or dialect.no_top_k
        if params.seed is not None:
            body["seed"] = fold_seed(params.seed, bits=64 if dialect.has_token_fields else 32)
    if dialect.repetition_penalty is not None:
        body[dialect.repetition_penalty] = params.repetition_penalty
    if stop:
        body["stop"] = list(stop)
    if dialect.has_token_fields:
        body |= {"return_token_ids": True, "stop_token_ids": list(stop_ids)}
    return body


def fold_seed(seed: int, *, bits: int) -> int:
    """Return a seed that a signed integer of so many bits holds; equal seeds stay equal."""
    half = 1 << (bits - 1)
    return (seed + half) % (2 * half) - half if bits == 64 else seed % half


def build_score_body(dialect: Dialect, model: str, ids: Sequence[int]) -> dict[str, Any]:
    """Return the body of a request for the log-probabilities of a prompt's own tokens."""
    greedy = GenerationParams(do_sample=False, max_new_tokens=1)
    return build_body(dialect, model, greedy) | {"prompt": list(ids), "prompt_logprobs": 0}
