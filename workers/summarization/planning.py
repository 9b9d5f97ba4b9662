"""Planning: before any step runs, choose a strategy, split the document and ensure that every prompt fits.

Map, stuff and refine prompts whose chunk is near its budget are rendered and measured here. Prompts with earlier
outputs are bounded by ``Limits`` for outputs of any length. The promised calls and tokens are upper bounds: every
answer counts at its maximum length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from workers.generation import Prompt, TokenCounter
from workers.summarization.chunks import PlannedChunk, Split, Splitter
from workers.summarization.errors import PlanError
from workers.summarization.estimate import Totals, estimate_totals
from workers.summarization.limits import MIN_CHUNK_TOKENS, Limits, measure_limits
from workers.summarization.packing import trim_span
from workers.summarization.prompts import PromptSet
from workers.summarization.splitting import split_document
from workers.summarization.steps import JobProgress, NextSteps, StepSpec, Strategy
from workers.summarization.strategies import next_steps
from workers.summarization.structure import DocumentFormat, Heading, find_headings
from workers.summarization.wording import PromptKind

# Large enough to keep a typical section whole, and for a summary much shorter than the chunk.
DEFAULT_CHUNK_TOKENS = 1000

# About two sentences, so that a pronoun after a cut within a section keeps its referent.
DEFAULT_OVERLAP_TOKENS = 50

# A default overlap takes at most this fraction (one in N) of a chunk.
MAX_OVERLAP_PART = 8

# Share of generated sentences that must pass their check, so that ``auto`` does not quote instead.
MIN_CHECK_RATE = 0.5

# Tokens at the seam of text and frame are uncertain; a chunk within this margin of its budget is measured exactly.
MEASURED_MARGIN = 64


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """Normalized document.

    Args:
        text: Markdown or plain text.
        format: markup of the text.
    """

    text: str
    format: DocumentFormat


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """User's options of a plan.

    Args:
        strategy: ``auto`` stuffs a document that fits and maps and reduces any other, or extracts if the weights are
            known to write too few true sentences.
        splitter: method of making chunks.
        chunk_tokens: maximum tokens of a chunk; less where the context is too small.
        overlap_tokens: maximum tokens that a chunk repeats from the previous one; None applies the default.
        separator: string at which the ``character`` splitter cuts.
        stuff_tokens: longest document, in tokens, that ``auto`` stuffs; None means the context alone limits it.
    """

    strategy: Strategy | Literal["auto"] = "auto"
    splitter: Splitter = "auto"
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS
    overlap_tokens: int | None = None
    separator: str | None = None
    stuff_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Execution plan of a job.

    Args:
        strategy: the chosen strategy.
        reason: human-readable reason for the strategy.
        split: the chunks; under ``stuff`` and ``extract`` a single one with the whole document.
        limits: token budgets of the prompts; stored with the job, because every later step needs them.
        first_steps: the first wave of steps.
        totals: upper bounds of calls and tokens.
        headings: of the document, in order; citations name the one above them.
    """

    strategy: Strategy
    reason: str
    split: Split
    limits: Limits
    first_steps: tuple[StepSpec, ...]
    totals: Totals
    headings: tuple[Heading, ...] = ()


def plan_job(
    document: SourceDocument,
    options: PlanOptions,
    *,
    prompts: PromptSet,
    counter: TokenCounter,
    context_tokens: int,
    max_new_tokens: int,
    check_rate: float | None = None,
) -> Plan:
    """Plan a job.

    Args:
        document: the document to summarize.
        options: the user's options.
        prompts: the job's prompts.
        counter: token counter of the serving weights.
        context_tokens: maximum tokens of a prompt and its answer together.
        max_new_tokens: maximum tokens of every answer.
        check_rate: share of the sentences written by these weights that passed their check; None if it is unknown.

    Raises:
        PlanError: the document is empty, or no plan fits; the message names the setting to change.
        SplitError: the splitter's options contradict each other.
    """
    if not any(map(str.isalnum, document.text)):
        raise PlanError("the document has no text: nothing to summarize")
    counter = _CachedCounter(cache(counter.count_tokens), counter.count_prompt_tokens)
    limits = measure_limits(
        prompts,
        counter,
        context_tokens=context_tokens,
        max_new_tokens=max_new_tokens,
        chunk_tokens=options.chunk_tokens,
    )
    planner = _Planner(document, options, prompts, counter, limits, check_rate)
    strategy, reason = planner.choose_strategy()
    split = planner.take_whole(strategy) if strategy in ("stuff", "extract") else planner.split_document(strategy)
    state = JobProgress(strategy, limits, len(split.chunks), is_stable=split.splitter == "stable")
    first = next_steps(state)
    assert isinstance(first, NextSteps)  # noqa: S101  # a job without steps always has next ones
    totals = estimate_totals(state, [chunk.tokens for chunk in split.chunks])
    headings = find_headings(document.text, document.format)
    return Plan(strategy, reason, split, limits, first.steps, totals, headings)


@dataclass(frozen=True, slots=True)
class _CachedCounter:
    """Token counter that caches counts: a second split measures many of the same pieces."""

    count_tokens: Callable[[str], int]
    count_prompt_tokens: Callable[[Prompt], int]


@dataclass(frozen=True, slots=True)
class _Planner:
    document: SourceDocument
    options: PlanOptions
    prompts: PromptSet
    counter: TokenCounter
    limits: Limits
    check_rate: float | None

    def choose_strategy(self) -> tuple[Strategy, str]:
        """Return the strategy and its reason.

        Unless the user chose: extract if the weights write too few true sentences, else stuff a document that fits.
        """
        wanted = self.options.strategy
        if wanted in ("map-reduce", "refine", "extract"):
            return wanted, f"{wanted} was asked for"
        if wanted == "auto" and self.check_rate is not None and self.check_rate < MIN_CHECK_RATE:
            share = f"{self.check_rate:.0%} of the sentences that these weights write pass their check"
            return "extract", f"{share}, and auto lets weights write from {MIN_CHECK_RATE:.0%} on"
        tokens, room = self.take_whole("stuff").chunks[0].tokens, max(0, self.limits.chunk_room)
        fits = tokens <= room and self.measure("stuff", self.document.text.strip()) <= self.limits.prompt_tokens
        has = f"the document has {tokens:,} tokens"
        if wanted == "stuff":
            if not fits:
                way_out = "use the strategy map-reduce or refine"
                raise PlanError(f"{has} and a prompt takes at most {room:,} of them beside its answer: {way_out}")
            return "stuff", "stuff was asked for"
        most = room if self.options.stuff_tokens is None else min(room, self.options.stuff_tokens)
        if fits and tokens <= most:
            return "stuff", f"{has} and fits one prompt with room for the answer"
        return "map-reduce", f"{has} and at most {most:,} are stuffed into one prompt"

    def take_whole(self, strategy: Strategy) -> Split:
        """Return the whole document as one chunk."""
        start, end = trim_span(self.document.text, (0, len(self.document.text)))
        tokens = self.counter.count_tokens(self.document.text[start:end])
        chunk = PlannedChunk(index=0, start=start, end=end, headings=(), tokens=tokens)
        return Split((chunk,), splitter=self.options.splitter, reason=f"{strategy} needs no chunks")

    def split_document(self, strategy: Strategy) -> Split:
        """Split the document, with smaller chunks until every measured prompt fits."""
        wanted = self.options.chunk_tokens
        budget = min(wanted, self._find_room(strategy))
        while budget >= min(wanted, MIN_CHUNK_TOKENS):
            split = self._split(budget)
            self._check_pairs(strategy, split)
            excess = max(self._measure_excess(strategy, chunk) for chunk in split.chunks)
            if excess <= 0:
                return split
            budget -= excess
        raise PlanError(self._explain_room(strategy))

    def measure(self, kind: PromptKind, text: str, existing: str | None = None) -> int:
        """Return the exact size of a prompt in tokens."""
        return self.counter.count_prompt_tokens(self.prompts.render(kind, text=text, existing=existing))

    def _find_room(self, strategy: Strategy) -> int:
        return self.limits.refine_room if strategy == "refine" else self.limits.chunk_room

    def _split(self, budget: int) -> Split:
        overlap = self.options.overlap_tokens
        if overlap is None or budget < self.options.chunk_tokens:
            overlap = min(DEFAULT_OVERLAP_TOKENS if overlap is None else overlap, budget // MAX_OVERLAP_PART)
        return split_document(
            self.document.text,
            document_format=self.document.format,
            splitter=self.options.splitter,
            chunk_tokens=budget,
            overlap_tokens=overlap,
            counter=self.counter,
            separator=self.options.separator,
        )

    def _measure_excess(self, strategy: Strategy, chunk: PlannedChunk) -> int:
        """Return the excess tokens of the largest prompt with this chunk; 0 or less if it fits."""
        if chunk.tokens + MEASURED_MARGIN <= self._find_room(strategy):
            return 0
        text = chunk.read_text(self.document.text)
        tokens = self.measure("map", text)
        if strategy == "refine":
            beside = self.limits.cost_output(self.limits.output_tokens)
            tokens = max(tokens, self.measure("refine-next", text, existing="") + beside)
        return tokens - self.limits.prompt_tokens

    def _check_pairs(self, strategy: Strategy, split: Split) -> None:
        """Raise unless any two outputs fit one prompt; collapsing terminates only then."""
        pair = 2 * self.limits.cost_output(self.limits.output_tokens)
        if strategy == "map-reduce" and len(split.chunks) > 1 and pair > self.limits.combine_room:
            raise PlanError(self._explain_room(strategy))

    def _explain_room(self, strategy: Strategy) -> str:
        limits = self.limits
        most = limits.allowed_new_tokens(is_refining=strategy == "refine")
        asked = f"answers of {limits.max_new_tokens:,} tokens do not fit a context of {limits.context_tokens:,}"
        if most < 1:
            return f"{asked} with these prompts at all: use weights with a longer context or a shorter prompt"
        return f"{asked} together with the prompts of {strategy}: set max_new_tokens to {most:,} or less"
