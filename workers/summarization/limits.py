"""Limits: what fits into each prompt of a job together with its answer.

Every prompt is a frame of our words around texts. With the frame's size f, the answer's reserve a and the context c,
the texts of that prompt may have c - f - a tokens together. An earlier output may be longer than planned (a retry may
get more tokens, and text that is generated token by token can encode to more tokens than it took to write): it is
clipped to ``output_tokens`` where it enters a later prompt, and the clipping is noted. So each room holds whatever
the engine returns.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.generation import TokenCounter
from workers.summarization.prompts import PromptSet
from workers.summarization.wording import PromptKind

# Tokens that text may cost beside our words more than alone, where the tokenizer merges or splits at the seams.
SEAM_TOKENS = 8

# The same between two outputs of one prompt, their separator included.
SEPARATOR_TOKENS = 4

# A retry may ask for this many times the tokens that were planned for an answer, where the context allows it.
MAX_GROWTH = 2

# A chunk smaller than this is not worth a call.
MIN_CHUNK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job's prompts may hold; plain numbers, so that a plan can be stored and read back.

    Args:
        context_tokens: most tokens of a prompt and its answer together.
        max_new_tokens: reserve of every answer.
        output_tokens: most tokens that an earlier output may have in a later prompt.
        map_frame: tokens of a map, stuff or first refine prompt without its text.
        combine_frame: tokens of a prompt that combines outputs, without them.
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
        """Most tokens of any prompt."""
        return self.context_tokens - self.max_new_tokens

    @property
    def chunk_room(self) -> int:
        """Most tokens of a chunk in a map, stuff or first refine prompt."""
        return self.prompt_tokens - self.map_frame

    @property
    def refine_room(self) -> int:
        """Most tokens of a chunk beside the summary so far."""
        return min(self.chunk_room, self.prompt_tokens - self.refine_frame - self.cost_output(self.output_tokens))

    @property
    def combine_room(self) -> int:
        """Most tokens of the outputs that one prompt combines, by ``cost_output``."""
        return self.prompt_tokens - self.combine_frame

    def cost_output(self, tokens: int) -> int:
        """Return what an output of a size takes up in a later prompt."""
        return min(tokens, self.output_tokens) + SEPARATOR_TOKENS

    def allowed_new_tokens(self, *, is_refining: bool) -> int:
        """Return the longest answer for which a plan could be made with this context and these frames."""
        mapped = self.context_tokens - self.map_frame - MIN_CHUNK_TOKENS
        combined = (self.context_tokens - self.combine_frame - 2 * SEPARATOR_TOKENS) // 3
        refined = (self.context_tokens - self.refine_frame - SEPARATOR_TOKENS - MIN_CHUNK_TOKENS) // 2
        return min(mapped, refined if is_refining else combined)

    def allowed_answer_tokens(self, prompt_tokens: int) -> int:
        """Return the most tokens that a retry may ask for after a prompt of a size; never less than planned."""
        return max(self.max_new_tokens, min(self.output_tokens, self.context_tokens - prompt_tokens))


def measure_limits(
    prompts: PromptSet, counter: TokenCounter, *, context_tokens: int, max_new_tokens: int, chunk_tokens: int
) -> Limits:
    """Measure the frames of a job's prompts, and set the reserve for earlier outputs.

    Args:
        prompts: the job's prompts.
        counter: counts tokens like the serving weights.
        context_tokens: most tokens of a prompt and its answer together.
        max_new_tokens: reserve of every answer.
        chunk_tokens: wanted size of a chunk, which growing outputs must not eat into.

    Raises:
        PlanError: the answer leaves no room for a text; says how many tokens it may have.
    """

    def measure(kind: PromptKind) -> int:
        return counter.count_prompt_tokens(prompts.render_frame(kind)) + SEAM_TOKENS

    map_frame = max(measure(kind) for kind in ("map", "stuff", "refine-first"))
    combine_frame, refine_frame = measure("combine"), measure("refine-next")
    room = context_tokens - max_new_tokens
    in_pairs = (room - combine_frame) // 2 - SEPARATOR_TOKENS
    beside_chunk = room - refine_frame - SEPARATOR_TOKENS - chunk_tokens
    grown = min(MAX_GROWTH * max_new_tokens, in_pairs, beside_chunk)
    return Limits(context_tokens, max_new_tokens, max(max_new_tokens, grown), map_frame, combine_frame, refine_frame)
