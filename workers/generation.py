"""Interface between steps and the engine: requests and results as values, and the engine's protocol, without libraries.

Summarization and evaluation build a ``Prompt`` and receive a ``Generation``; the engine alone turns one into the other.
``Part.is_untrusted`` marks text from a document or an earlier generation: control tokens inside it are encoded as plain
text, so it cannot open a chat turn.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from models.sampling_params import PARAMETERS, RANGES, SamplingParams

Role = Literal["system", "user", "assistant"]


class PromptFormat(StrEnum):
    """Prompt format of weights."""

    CHAT = "chat"  # instruct weights: turns through the tokenizer's chat template
    COMPLETION = "completion"  # base weights: one plain text that the weights continue


class FinishReason(StrEnum):
    """Reason for the end of a generation."""

    STOP = "stop"  # end of sequence, end of turn or a stop string
    LENGTH = "length"  # max_new_tokens reached: the text may be cut
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Part:
    """Piece of a turn: trusted wording of a prompt, or untrusted text from a document or a generation."""

    text: str
    is_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Message of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Text of all parts."""
        return "".join(part.text for part in self.parts)


def merge_system_turn(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return the turns with a first one of the system as the beginning of the user turn that follows."""
    if turns[0].role != "system":
        return turns
    system, user, *others = turns
    return (Turn(user.role, (*system.parts, Part("\n\n"), *user.parts)), *others)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Prompt of a request to the engine.

    Args:
        turns: the conversation, whose first turn may be of the system; the completion format concatenates the texts of
            its turns.
        format: chat or completion.
        stop: strings that end the generation and are excluded from its text.
        schema: JSON Schema, as text, of which the generation is JSON; None for free text.
    """

    turns: tuple[Turn, ...]
    format: PromptFormat = PromptFormat.CHAT
    stop: tuple[str, ...] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        if not self.turns or self.turns[-1].role != "user":
            raise ValueError("a prompt needs at least one turn and must end with a user turn")
        roles = [turn.role for turn in self.turns]
        if "system" in roles[1:] or roles[:2] == ["system", "assistant"]:
            raise ValueError("a system turn must be the first one and a user turn must follow it")

    @property
    def text(self) -> str:
        """Concatenated text of all turns."""
        return "".join(turn.text for turn in self.turns)


@dataclass(frozen=True, slots=True)
class GenerationParams(SamplingParams):
    """Sampling parameters that an engine can compute with.

    Upwards they may leave the range that a job may ask for, because retries raise what a job asked for.

    Raises:
        ValueError: a value is one that nothing can compute with; the message names it.
    """

    def __post_init__(self) -> None:
        min_temperature, max_beams = RANGES["temperature"].minimum, RANGES["num_beams"].maximum
        checks = (
            (
                min_temperature <= self.temperature < math.inf,
                f"temperature must be {min_temperature} or more (for greedy decoding set do_sample to false)",
            ),
            (self.top_k >= 0, "top_k must be 0 (off) or more"),
            (0 < self.top_p <= 1, "top_p must be above 0 and at most 1"),
            (1 <= self.num_beams <= max_beams, f"num_beams must be from 1 to {max_beams}"),
            (self.max_new_tokens >= 1, "max_new_tokens must be 1 or more"),
            (0 < self.repetition_penalty < math.inf, "repetition_penalty must be above 0 and finite"),
            (-(2**63) <= (self.seed or 0) < 2**64, "seed must be a number of 64 bits"),
        )
        for is_valid, message in checks:
            if not is_valid:
                raise ValueError(message)

    def describe(self) -> dict[str, float | None]:
        """Return all parameters by name, ten times as fast as ``dataclasses.asdict``."""
        return {name: getattr(self, name) for name in PARAMETERS}

    @property
    def is_deterministic(self) -> bool:
        """Whether equal prompts give equal tokens, as greedy decoding does."""
        return not self.do_sample


@dataclass(frozen=True, slots=True)
class Generation:
    """Result of a call of the engine.

    Args:
        text: generated text, without prompt, control tokens or stop string.
        prompt_tokens: length of the encoded prompt in tokens.
        completion_tokens: number of generated tokens.
        finish_reason: reason for the end.
        seconds: wall time from submission to the last token.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    seconds: float


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Return a text up to its first stop string, and whether there was one."""
    starts = [text.index(word) for word in stop if word in text]
    return (text[: min(starts)], True) if starts else (text, False)


class TokenCounter(Protocol):
    """Token counter of the serving weights."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without control tokens."""
        ...

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        """Return the exact length of the encoded prompt, control tokens included."""
        ...


class TextGenerator(TokenCounter, Protocol):
    """Interface of the engine; every method is thread-safe."""

    @property
    def context_tokens(self) -> int:
        """Maximum tokens of prompt and completion together."""
        ...

    @property
    def prompt_format(self) -> PromptFormat:
        """Prompt format of the served weights."""
        ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the served weights: config, tensors, adapter, dtype and quantization."""
        ...

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        """Generate text; block until done, cancelled or past ``deadline`` (a ``time.monotonic`` value)."""
        ...

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Return the summed log-probability of each continuation after the prompt."""
        ...
