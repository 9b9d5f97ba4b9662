"""Training examples: pairs as token ids, with loss on the completion and its end token only.

A source over its budget is truncated before the prompt is built, and counted; summaries are never truncated. The
prompts of summarization and the tokenizer of the engine produce the ids, so training and serving use the same ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.config import SourceBudget
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.grounded_pairs import ground_pair
from workers.finetuning.pairs import Pair
from workers.generation import PromptFormat
from workers.summarization.prompts import PromptSet

# Label without loss, by the convention of torch and transformers.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """Encoded pair, with its truncated text."""

    prompt_ids: list[int]
    completion_ids: list[int]
    pair: Pair

    @property
    def row(self) -> dict[str, list[int]]:
        """Row of the trainer's table: ids of prompt and completion, with loss on the completion only."""
        labels = [IGNORED] * len(self.prompt_ids) + self.completion_ids
        return {"input_ids": self.prompt_ids + self.completion_ids, "labels": labels}


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Encoded pairs, with the number of truncated sources.

    Args:
        examples: the encoded pairs.
        truncated_sources: number of sources over their budget.
        dropped_sentences: number of sentences of the summaries that their cut text does not bear out.
        left_out: number of pairs with nothing to say about their cut text.
    """

    examples: tuple[TrainingExample, ...]
    truncated_sources: int
    dropped_sentences: int = 0
    left_out: int = 0

    @property
    def longest(self) -> int:
        """Length in tokens of the longest example, prompt and completion together."""
        return max(len(example.prompt_ids) + len(example.completion_ids) for example in self.examples)

    @property
    def max_completion(self) -> int:
        """Length in tokens of the longest summary."""
        return max(len(example.completion_ids) for example in self.examples)


class PairEncoder:
    """Encoder of pairs with the weights' own tokenizer.

    Args:
        tokenizer: the weights' tokenizer, as loaded by transformers.
        prompts: prompts around the sources.
    """

    def __init__(self, tokenizer: Any, *, prompts: PromptSet) -> None:
        self._tokenizer = tokenizer
        self._prompts = prompts
        self._encoder = PromptTokenizer(tokenizer)
        self._end = find_end_token(prompts.format, tokenizer, turn_end=self._encoder.turn_end)

    def encode_pairs(self, pairs: Sequence[Pair], *, budget: SourceBudget, seed: int) -> ExampleSet:
        """Encode pairs in order; the seed determines the draws of the source budgets."""
        generator = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
        cut = [self.truncate_source(pair.source, limit=budget.draw(generator)) for pair in pairs]
        examples = [self.encode_pair(Pair(text, pair.target)) for pair, (text, _) in zip(pairs, cut, strict=True)]
        return ExampleSet(tuple(examples), truncated_sources=sum(is_cut for _, is_cut in cut))

    def ground_pairs(self, pairs: Sequence[Pair], *, budget: SourceBudget, seed: int) -> ExampleSet:
        """Encode grounded pairs made from given ones, in order; the seed determines all draws."""
        generator = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
        made = [
            ground_pair(pair, truncate=partial(self.truncate_source, limit=budget.draw(generator)), generator=generator)
            for pair in pairs
        ]
        grounded = [item for item in made if item is not None]
        return ExampleSet(
            tuple(self.encode_pair(item.pair, words=item.words) for item in grounded),
            truncated_sources=sum(item.is_cut for item in grounded),
            dropped_sentences=sum(item.dropped for item in grounded),
            left_out=len(made) - len(grounded),
        )

    def encode_pair(self, pair: Pair, *, words: int | None = None) -> TrainingExample:
        """Encode a truncated pair, with an end token after the summary.

        Args:
            pair: the cut text and its summary.
            words: length that the prompt asks for; None asks for none. A prompt of the user's own says its own.
        """
        is_asked = words is not None and self._prompts.template is None
        prompts = replace(self._prompts, words=words) if is_asked else self._prompts
        return TrainingExample(
            prompt_ids=self._encoder.encode_prompt(prompts.render("stuff" if is_asked else "map", text=pair.source)),
            completion_ids=[*self._encoder.encode_plain(pair.target), self._end],
            pair=pair,
        )

    def truncate_source(self, text: str, *, limit: int) -> tuple[str, bool]:
        """Return the first ``limit`` tokens of a text as text, and whether it was truncated."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if len(encoded.input_ids) <= limit:
            return text, False
        return text[: encoded.offset_mapping[limit - 1][1]].rstrip(), True


def find_end_token(prompt_format: PromptFormat, tokenizer: Any, *, turn_end: int | None) -> int:
    """Return the id of the token after a summary: the end of a turn in the chat format, else the end of the sequence.

    The sequence is also ended if the chat template puts no control token after an answer. Base weights are not trained
    on the end of a turn and do not learn it from a few hundred examples.

    Args:
        prompt_format: chat or completion.
        tokenizer: the weights' tokenizer.
        turn_end: control token that the chat template puts after an answer; None if it puts none.

    Raises:
        TrainingSettingsError: the tokenizer lacks the token, or the format is chat and there is no chat template.
    """
    if prompt_format is PromptFormat.CHAT and not tokenizer.chat_template:
        raise TrainingSettingsError("these weights have no chat template: train them with prompt format completion")
    is_turn = prompt_format is PromptFormat.CHAT and turn_end is not None
    end = turn_end if is_turn else tokenizer.eos_token_id
    if end is None:
        raise TrainingSettingsError("these weights' tokenizer names no end token: add eos_token to its config")
    return int(end)
