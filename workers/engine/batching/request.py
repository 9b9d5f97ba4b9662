"""One request on its way through the generation loop."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch

from workers.engine.batching.prompt_lookup import FIRST_PROPOSED, PromptLookup
from workers.generation import FinishReason, GenerationParams

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class GenerationOutcome:
    """What the loop made of a request: the generated ids, an end-of-sequence id included, and why it ended."""

    tokens: list[int]
    reason: FinishReason


@dataclass(eq=False, slots=True)
class Request:
    """A prompt in the loop.

    Args:
        prompt_ids: the encoded prompt.
        params: how tokens are chosen.
        eos_ids: ids that end the generation.
        stop: strings that end it.
        deadline: ``time.monotonic`` value after which it ends; None for no limit.
        cancelled: ends it when set; None if it cannot be cancelled.
        device: where its random numbers are drawn.
    """

    prompt_ids: list[int]
    params: GenerationParams
    eos_ids: frozenset[int]
    stop: tuple[str, ...] = ()
    deadline: float | None = None
    cancelled: threading.Event | None = None
    device: str = "cpu"
    id: str = field(default_factory=lambda: f"request-{next(_numbers)}", init=False)
    submitted: float = field(default_factory=time.monotonic, init=False)
    future: Future[GenerationOutcome] = field(default_factory=Future, init=False)
    # Its own, so that no request's numbers depend on what else is drawn in this process.
    generator: torch.Generator = field(init=False)
    has_run_out_of_memory: bool = field(default=False, init=False)
    # Guesses of what comes next that this pass checks.
    draft: list[int] = field(default_factory=list, init=False)
    _drafter: PromptLookup | None = field(default=None, init=False)
    # Told all tokens so far after every pass, in the loop's thread.
    on_tokens: Callable[[list[int]], None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator(self.device)
        if self.params.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(self.params.seed)

    def find_overdue_reason(self) -> FinishReason | None:
        """Return why the request must end now although it is not finished, None if it may go on."""
        if self.cancelled is not None and self.cancelled.is_set():
            return FinishReason.CANCELLED
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return FinishReason.DEADLINE
        return None

    @property
    def wanted_draft(self) -> int:
        """How many guesses are worth checking, by how many held so far."""
        return FIRST_PROPOSED if self._drafter is None else self._drafter.wanted

    def guess(self, read: list[int], said: list[int], *, most: int) -> None:
        """Guess what comes next, up to so many tokens; the first guess looks at all that was read and said."""
        if self._drafter is None:
            self._drafter = PromptLookup(read + said)
        self.draft = self._drafter.draft(most)

    def learn(self, tokens: list[int]) -> None:
        """Take in what was said: the guesses that held, and the token after them."""
        if self._drafter is not None:
            self._drafter.learn(tokens, drafted=len(self.draft))

    def cut_text(self, text: str) -> tuple[str, bool]:
        """Return a text up to its first stop string, and whether there was one."""
        starts = [text.index(stop) for stop in self.stop if stop in text]
        return (text[: min(starts)], True) if starts else (text, False)

    def finish(self, tokens: list[int], reason: FinishReason | None = None) -> None:
        """Hand the outcome to the waiting thread."""
        if reason is None:
            reason = FinishReason.STOP if tokens and tokens[-1] in self.eos_ids else FinishReason.LENGTH
        self.future.set_result(GenerationOutcome(tokens, reason))
