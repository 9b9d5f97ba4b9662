"""Request of the generation loop: a prompt, its sampling, its limits and its outcome."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch

from workers.engine.batching.prompt_lookup import FIRST_PROPOSED, PromptLookup
from workers.engine.batching.sampling import Draws
from workers.engine.constraints import Constraint
from workers.generation import FinishReason, GenerationParams, cut_at_stop

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class GenerationOutcome:
    """Result of a request: the generated ids, an end-of-sequence id included, and why it ended."""

    tokens: list[int]
    reason: FinishReason


@dataclass(eq=False, slots=True)
class Request:
    """A prompt in the loop.

    Args:
        prompt_ids: the encoded prompt.
        params: sampling parameters.
        eos_ids: ids that end the generation.
        stop: strings that end it.
        deadline: ``time.monotonic`` value after which it ends; None for no limit.
        cancelled: ends it when set; None if it cannot be cancelled.
        device: of its random generator.
        constraint: restricts its tokens to JSON of a schema; None for free text.
    """

    prompt_ids: list[int]
    params: GenerationParams
    eos_ids: frozenset[int]
    stop: tuple[str, ...] = ()
    deadline: float | None = None
    cancelled: threading.Event | None = None
    device: str = "cpu"
    constraint: Constraint | None = None
    id: str = field(default_factory=lambda: f"request-{next(_numbers)}", init=False)
    submitted: float = field(default_factory=time.monotonic, init=False)
    future: Future[GenerationOutcome] = field(default_factory=Future, init=False)
    # One per request, so that no other draws in this process change its random numbers.
    generator: torch.Generator = field(init=False)
    draws: Draws = field(init=False)
    has_run_out_of_memory: bool = field(default=False, init=False)
    # Speculative tokens that this step verifies.
    proposed: list[int] = field(default_factory=list, init=False)
    _lookup: PromptLookup | None = field(default=None, init=False)
    # Called in the loop's thread with all tokens so far, after every step.
    on_tokens: Callable[[list[int]], None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator(self.device)
        if self.params.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(self.params.seed)
        self.draws = Draws(self.generator)

    def find_overdue_reason(self) -> FinishReason | None:
        """Return why the request must end now, unfinished; None if it may continue."""
        if self.cancelled is not None and self.cancelled.is_set():
            return FinishReason.CANCELLED
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return FinishReason.DEADLINE
        return None

    @property
    def proposal_size(self) -> int:
        """Number of speculative tokens to propose, by how many were accepted so far."""
        return FIRST_PROPOSED if self._lookup is None else self._lookup.proposal_size

    def propose_tokens(self, prompt: list[int], generated: list[int], *, limit: int) -> None:
        """Propose up to ``limit`` speculative tokens; the first call indexes the prompt and all generated tokens."""
        if self._lookup is None:
            self._lookup = PromptLookup(prompt + generated)
        self.proposed = self._lookup.propose(limit)
        if self.constraint is not None:
            self.proposed = self.constraint.restrict_proposal(self.proposed, limit=limit)

    def record_tokens(self, tokens: list[int]) -> None:
        """Record the accepted tokens and the one sampled after them."""
        if self.constraint is not None:
            self.constraint.record_tokens(tokens)
        if self._lookup is not None:
            self._lookup.record_tokens(tokens, proposed=len(self.proposed))

    @property
    def has_ended(self) -> bool:
        """Whether the constraint lets nothing follow."""
        return self.constraint is not None and self.constraint.has_ended

    def cut_text(self, text: str) -> tuple[str, bool]:
        """Return a text up to its first stop string, and whether there was one."""
        return cut_at_stop(text, self.stop)

    def finish(self, tokens: list[int], reason: FinishReason | None = None) -> None:
        """Resolve the future with the outcome."""
        if reason is None:
            is_eos = bool(tokens) and tokens[-1] in self.eos_ids
            is_whole = is_eos if self.constraint is None else self.constraint.is_complete
            reason = FinishReason.STOP if is_whole else FinishReason.LENGTH
        self.future.set_result(GenerationOutcome(tokens, reason))
