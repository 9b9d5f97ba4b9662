"""Pairs as token ids: prompt without loss, completion with loss, an end that is learned.

A source that is too long is cut to its first tokens before the prompt is built, and counted; the summary is never
cut. Prompts are rendered by the summarization prompts and encoded by the engine's tokenizer, so that training sees
exactly the ids that serving will see.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.config import SourceBudget
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.pairs import Pair
from workers.generation import PromptFormat
from workers.summarization.prompts import PromptSet

# Labels with this value carry no loss (the convention of torch and transformers).
IGNORED = -100


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One pair as token ids, beside the text that was encoded."""

    prompt_ids: list[int]
    completion_ids: list[int]
    pair: Pair

    @property
    def row(self) -> dict[str, list[int]]:
        """The columns that the trainer reads: ids of prompt and completion, loss on the completion only."""
        labels = [IGNORED] * len(self.prompt_ids) + self.completion_ids
        return {"input_ids": self.prompt_ids + self.completion_ids, "labels": labels}


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Encoded pairs, and how many sources had to be cut."""

    examples: tuple[TrainingExample, ...]
    truncated_sources: int

    @property
    def longest(self) -> int:
        """Tokens of the longest example, prompt and completion together."""
        return max(len(example.prompt_ids) + len(example.completion_ids) for example in self.examples)

    @property
    def max_completion(self) -> int:
        """Tokens of the longest summary, which is never cut."""
        return max(len(example.completion_ids) for example in self.examples)


class PairEncoder:
    """Turns pairs into examples with the weights' own tokenizer.

    Args:
        tokenizer: the weights' tokenizer, as transformers loads it.
        prompts: how sources become prompts.
    """

    def __init__(self, tokenizer: Any, *, prompts: PromptSet) -> None:
        self._tokenizer = tokenizer
        self._prompts = prompts
        self._encoder = PromptTokenizer(tokenizer)
        self._end = find_end_token(prompts.format, tokenizer)

    def encode_pairs(self, pairs: Sequence[Pair], *, budget: SourceBudget, seed: int) -> ExampleSet:
        """Encode pairs in their order; the seed draws each source's budget."""
        generator = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
        cut = [self.truncate_source(pair.source, limit=budget.draw(generator)) for pair in pairs]
        examples = [self.encode_pair(Pair(text, pair.target)) for pair, (text, _) in zip(pairs, cut, strict=True)]
        return ExampleSet(tuple(examples), truncated_sources=sum(is_cut for _, is_cut in cut))

    def encode_pair(self, pair: Pair) -> TrainingExample:
        """Encode one pair whose source fits; the summary is followed by the token that ends it."""
        return TrainingExample(
            prompt_ids=self._encoder.encode_prompt(self._prompts.render("map", text=pair.source)),
            completion_ids=[*self._encoder.encode_plain(pair.target), self._end],
            pair=pair,
        )

    def truncate_source(self, text: str, *, limit: int) -> tuple[str, bool]:
        """Return the text's first ``limit`` tokens as text, and whether anything was cut."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if len(encoded.input_ids) <= limit:
            return text, False
        return text[: encoded.offset_mapping[limit - 1][1]].rstrip(), True


def find_end_token(prompt_format: PromptFormat, tokenizer: Any) -> int:
    """Return the id that ends a summary: the end of the turn in chats, the end of the sequence otherwise.

    Base weights never trained ``<end_of_turn>`` and do not learn it from a few hundred examples; they know ``<eos>``.

    Raises:
        TrainingSettingsError: chats were asked for, and the tokenizer has no token that ends a turn.
    """
    if prompt_format is PromptFormat.COMPLETION:
        return int(tokenizer.eos_token_id)
    if "<end_of_turn>" not in tokenizer.get_vocab():
        raise TrainingSettingsError(
            "these weights' tokenizer has no <end_of_turn>: train them with prompt format completion"
        )
    return int(tokenizer.convert_tokens_to_ids("<end_of_turn>"))
