"""Rendering: turn a step into its prompt; clip earlier outputs so that prompt and answer fit the context."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workers.generation import GenerationParams, Prompt, TokenCounter
from workers.summarization.errors import StateError
from workers.summarization.limits import Limits
from workers.summarization.prompts import PromptSet, describe_prompt
from workers.summarization.steps import ChunkInput, StepKey, StepSpec
from workers.summarization.wording import OUTPUT_SEPARATOR, PromptKind

_WORD_ENDS = re.compile(r"(?<=\S)(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class RenderedStep:
    """A step's prompt.

    Args:
        prompt: the rendered prompt.
        tokens: its exact size.
        source: the texts inside it, to which the guards compare the answer.
        notes: human-readable notes on clipped outputs, to be kept with the step's other notes.
    """

    prompt: Prompt
    tokens: int
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRenderer:
    """Renderer of one job's steps.

    Args:
        prompts: the job's prompts.
        limits: the job's planned budgets.
        counter: token counter of the serving weights.
    """

    prompts: PromptSet
    limits: Limits
    counter: TokenCounter

    def render_step(
        self, spec: StepSpec, *, chunk_texts: Mapping[int, str], outputs: Mapping[StepKey, str]
    ) -> RenderedStep:
        """Return the prompt of a step.

        Args:
            spec: the step.
            chunk_texts: prompt text by chunk index, at least for the chunks among the inputs.
            outputs: output text by step, at least for the steps among the inputs.

        Raises:
            StateError: the chunks do not fit, so they are not those of the plan.
        """
        chunks = [chunk_texts[source.index] for source in spec.inputs if isinstance(source, ChunkInput)]
        earlier = [outputs[source] for source in spec.inputs if isinstance(source, StepKey)]
        share = self.limits.output_tokens
        while share > 0:
            clipped = [self._clip(text, share) for text in earlier]
            prompt = self._render(spec, chunks, clipped)
            tokens = self.counter.count_prompt_tokens(prompt)
            excess = tokens - self.limits.prompt_tokens
            if excess <= 0:
                notes = tuple(_note_clips(spec, earlier, clipped))
                return RenderedStep(prompt, tokens, OUTPUT_SEPARATOR.join((*clipped, *chunks)), notes)
            share = share - -(-excess // len(earlier)) if earlier else 0
        raise StateError(f"step {spec.key} does not fit the context: its chunks are not those of the plan")

    def _render(self, spec: StepSpec, chunks: Sequence[str], earlier: Sequence[str]) -> Prompt:
        match spec.key.kind:
            case "collapse" | "reduce" as combining:
                asked: PromptKind = "reduce" if combining == "reduce" else "combine"
                return self.prompts.render(asked, text=OUTPUT_SEPARATOR.join(earlier))
            case "refine" if earlier:
                return self.prompts.render("refine-next", text=chunks[0], existing=earlier[0])
            case "extract":
                raise StateError(f"step {spec.key} quotes the document and has no prompt")
            case kind:
                asked = "refine-first" if kind == "refine" else kind
                return self.prompts.render(asked, text=OUTPUT_SEPARATOR.join(chunks))

    def _clip(self, text: str, max_tokens: int) -> str:
        """Truncate a text at a word end to at most this many tokens."""

        def is_over(end: int) -> bool:
            return self.counter.count_tokens(text[:end]) > max_tokens

        if not is_over(len(text)):
            return text
        ends = [0, *(match.end() for match in _WORD_ENDS.finditer(text))]
        return text[: ends[bisect_left(ends, True, key=is_over) - 1]]


def _note_clips(spec: StepSpec, earlier: Sequence[str], clipped: Sequence[str]) -> Iterator[str]:
    keys = [source for source in spec.inputs if isinstance(source, StepKey)]
    for key, whole, rest in zip(keys, earlier, clipped, strict=True):
        if len(rest) < len(whole):
            yield f"only the first {len(rest):,} of the {len(whole):,} characters of step {key} fit its prompt"


def identify_step(
    prompt: Prompt,
    params: GenerationParams,
    *,
    prompt_fingerprint: str,
    weights_fingerprint: str,
    grounding: str | None = None,
) -> str:
    """Return the key under which a step's output is stored for reuse.

    Args:
        prompt: the rendered prompt.
        params: generation parameters.
        prompt_fingerprint: fingerprint of the prompt set.
        weights_fingerprint: fingerprint of the weights.
        grounding: mode of grounding and fingerprint of its judge; None without grounding.

    Returns:
        A SHA-256 in hexadecimal digits.
    """
    parts = [prompt_fingerprint, describe_prompt(prompt), weights_fingerprint, params.describe()]
    parts += [] if grounding is None else [grounding]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
