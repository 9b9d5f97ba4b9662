"""What a step asks of the engine and what it gets back: values and one protocol, no libraries.

The pure core (summarization, evaluation) builds a ``Prompt`` and reads a ``Generation``; the engine is the only place
that turns one into the other. ``Part.is_untrusted`` marks text that came from a document or from an earlier
generation: control tokens inside it are encoded as plain text, so it can never open a chat turn.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from models.sampling_params import PARAMETERS, RANGES, SamplingParams

Role = Literal["user", "assistant"]


class PromptFormat(StrEnum):
    """How a set of weights wants to be prompted."""

    CHAT = "chat"  # instruct weights: turns through the tokenizer's chat template
    COMPLETION = "completion"  # base weights: one plain text that the weights continue


class FinishReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"  # the weights said so (end of sequence, end of turn or a stop string)
    LENGTH = "length"  # max_new_tokens reached: the text may be cut
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a turn: the words of our prompt, or untrusted text from a document or a generation."""

    text: str
    is_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The turn's whole text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A whole request to the engine.

    Args:
        turns: the conversation; in completion format the turns' texts are simply concatenated.
        format: chat or completion.
        stop: strings that end the generation; they are not part of its text.
    """

    turns: tuple[Turn, ...]
    format: PromptFormat = PromptFormat.CHAT
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.turns or self.turns[-1].role != "user":
            raise ValueError("a prompt needs at least one turn and must end with a user turn")

    @property
    def text(self) -> str:
        """All turns' texts, one after the other."""
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
        """Return all of them by name; ``dataclasses.asdict`` takes ten times as long."""
        return {name: getattr(self, name) for name in PARAMETERS}

    @property
    def is_deterministic(self) -> bool:
        """True if the same prompt always gives the same tokens."""
        return not self.do_sample


@dataclass(frozen=True, slots=True)
class Generation:
    """One finished call of the engine.

    Args:
        text: the new text, without prompt, control tokens or stop string.
        prompt_tokens: length of the encoded prompt in tokens.
        completion_tokens: number of generated tokens.
        finish_reason: why it ended.
        seconds: wall time from submission to the last token.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    seconds: float


class TokenCounter(Protocol):
    """Counts tokens the way the serving weights do."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without any control tokens."""
        ...

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        """Return the exact length of the encoded prompt, control tokens included."""
        ...


class TextGenerator(TokenCounter, Protocol):
    """The engine as the rest of the worker sees it; every method may be called from any thread."""

    @property
    def context_tokens(self) -> int:
        """Most tokens that prompt and completion may have together."""
        ...

    @property
    def prompt_format(self) -> PromptFormat:
        """How these weights want to be prompted."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identity of what generates: config, tensors, adapter, dtype and quantization."""
        ...

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        """Generate text; blocks until done, cancelled or past ``deadline`` (a ``time.monotonic`` value)."""
        ...

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Return the summed log-probability of each continuation after the prompt."""
        ...
