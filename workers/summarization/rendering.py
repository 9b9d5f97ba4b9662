"""Turn a step into its prompt, so that prompt and answer fit the context whatever the earlier outputs have become."""

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
        prompt: what to ask the engine.
        tokens: its exact size.
        source: the texts it holds, for the guards to compare the answer with.
        notes: in words for people, what had to be clipped; they belong to the step's other notes.
    """

    prompt: Prompt
    tokens: int
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRenderer:
    """Renders the steps of one job.

    Args:
        prompts: the job's prompts.
        limits: as they were planned.
        counter: counts tokens like the serving weights.
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
            chunk_texts: prompt texts of at least the chunks among its inputs, by their index.
            outputs: texts of at least the steps among its inputs.

        Raises:
            StateError: the chunks do not fit, so they are not those of the plan.
        """
        chunks = [chunk_texts[each.index] for each in spec.inputs if isinstance(each, ChunkInput)]
        earlier = [outputs[each] for each in spec.inputs if isinstance(each, StepKey)]
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
            case "collapse" | "reduce":
                return self.prompts.render("combine", text=OUTPUT_SEPARATOR.join(earlier))
            case "refine" if earlier:
                return self.prompts.render("refine-next", text=chunks[0], existing=earlier[0])
            case kind:
                asked: PromptKind = "refine-first" if kind == "refine" else kind
                return self.prompts.render(asked, text=OUTPUT_SEPARATOR.join(chunks))

    def _clip(self, text: str, max_tokens: int) -> str:
        """Return the text, or as many of its first words as have at most so many tokens."""

        def is_over(end: int) -> bool:
            return self.counter.count_tokens(text[:end]) > max_tokens

        if not is_over(len(text)):
            return text
        ends = [0, *(match.end() for match in _WORD_ENDS.finditer(text))]
        return text[: ends[bisect_left(ends, True, key=is_over) - 1]]


def _note_clips(spec: StepSpec, earlier: Sequence[str], clipped: Sequence[str]) -> Iterator[str]:
    keys = [each for each in spec.inputs if isinstance(each, StepKey)]
    for key, whole, rest in zip(keys, earlier, clipped, strict=True):
        if len(rest) < len(whole):
            yield f"only the first {len(rest):,} of the {len(whole):,} characters of step {key} fit its prompt"


def identify_step(
    prompt: Prompt, params: GenerationParams, *, prompt_fingerprint: str, weights_fingerprint: str
) -> str:
    """Return the key under which a step's output can be found again.

    Args:
        prompt: the rendered prompt.
        params: how the answer is generated.
        prompt_fingerprint: identity of the prompt set's words.
        weights_fingerprint: identity of the weights.

    Returns:
        A sha256 in hexadecimal digits.
    """
    parts = [prompt_fingerprint, describe_prompt(prompt), weights_fingerprint, params.describe()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
