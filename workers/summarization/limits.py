"""Limits: the token budget of every prompt of a job.

A prompt is a frame of fixed words around texts. With a frame of f tokens, an answer reserve of a and a context of c,
the texts of a prompt may have c - f - a tokens together. An earlier output may be longer than planned: generated text
can encode to more tokens than were generated, and a quotation takes the place of a sentence. It is clipped to
``output_tokens`` when it enters a later prompt, and the clipping is noted, so the budgets hold for any output.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.generation import TokenCounter
from workers.summarization.prompts import PromptSet
from workers.summarization.wording import PromptKind

# Extra tokens of a text inside a frame, where the tokenizer merges or splits at the seams.
SEAM_TOKENS = 8

# The same between two outputs of one prompt, their separator included.
SEPARATOR_TOKENS = 4

# Longest output in a later prompt, as a multiple of the planned length, where the context allows it.
MAX_GROWTH = 2

# A smaller chunk, in tokens, is not worth a generation call.
MIN_CHUNK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Token budgets of one job's prompts; plain numbers, so that a plan can be stored.

    Args:
        context_tokens: maximum tokens of a prompt and its answer together.
        max_new_tokens: tokens reserved for every answer.
        output_tokens: maximum tokens of an earlier output in a later prompt.
        map_frame: tokens of a map, stuff or first refine prompt without its text.
        combine_frame: tokens of a combine prompt without the outputs.
        refine_frame: tokens of a later refine prompt without its two texts.
    """

    context_tokens: int
    max_new_tokens: int
    output_tokens: int
    map_frame: int
    combine_frame: int
    refine_frame: int

    @property
    def prompt_tokens(self) -> int:
        """Maximum tokens of any prompt."""
        return self.context_tokens - self.max_new_tokens

    @property
    def chunk_room(self) -> int:
        """Maximum tokens of a chunk in a map, stuff or first refine prompt."""
        return self.prompt_tokens - self.map_frame

    @property
    def refine_room(self) -> int:
        """Maximum tokens of a chunk beside the summary so far."""
        return min(self.chunk_room, self.prompt_tokens - self.refine_frame - self.cost_output(self.output_tokens))

    @property
    def combine_room(self) -> int:
        """Maximum total ``cost_output`` of the outputs in one combine prompt."""
        return self.prompt_tokens - self.combine_frame

    def cost_output(self, tokens: int) -> int:
        """Return the tokens that an output takes in a later prompt, separator included."""
        return min(tokens, self.output_tokens) + SEPARATOR_TOKENS

    def allowed_new_tokens(self, *, is_refining: bool) -> int:
        """Return the largest ``max_new_tokens`` that leaves room for a plan with this context and these frames."""
        mapped = self.context_tokens - self.map_frame - MIN_CHUNK_TOKENS
        combined = (self.context_tokens - self.combine_frame - 2 * SEPARATOR_TOKENS) // 3
        refined = (self.context_tokens - self.refine_frame - SEPARATOR_TOKENS - MIN_CHUNK_TOKENS) // 2
        return min(mapped, refined if is_refining else combined)


def measure_limits(
    prompts: PromptSet, counter: TokenCounter, *, context_tokens: int, max_new_tokens: int, chunk_tokens: int
) -> Limits:
    """Measure the frames of a job's prompts and derive the clipping length of earlier outputs.

    Args:
        prompts: the job's prompts.
        counter: token counter of the serving weights.
        context_tokens: maximum tokens of a prompt and its answer together.
        max_new_tokens: tokens reserved for every answer.
        chunk_tokens: requested chunk size, which the growth of outputs must not reduce.
    """

    def measure(kind: PromptKind) -> int:
        return counter.count_prompt_tokens(prompts.render_frame(kind)) + SEAM_TOKENS

    map_frame = max(measure(kind) for kind in ("map", "stuff", "refine-first"))
    combine_frame, refine_frame = max(measure("combine"), measure("reduce")), measure("refine-next")
    room = context_tokens - max_new_tokens
    in_pairs = (room - combine_frame) // 2 - SEPARATOR_TOKENS
    beside_chunk = room - refine_frame - SEPARATOR_TOKENS - chunk_tokens
    grown = min(MAX_GROWTH * max_new_tokens, in_pairs, beside_chunk)
    return Limits(context_tokens, max_new_tokens, max(max_new_tokens, grown), map_frame, combine_frame, refine_frame)
