"""Summaries are scored with ROUGE, and it is known which ended by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from workers.finetuning.dataset import PairEncoder
from workers.finetuning.pairs import Pair
from workers.finetuning.scoring import GeneratedSummary, score_summaries, summarize_examples
from workers.generation import PromptFormat
from workers.summarization.prompts import PromptSet


def test_equal_texts_score_a_hundred_and_unrelated_ones_nothing() -> None:
    summaries = [
        GeneratedSummary("The river rose.", tokens=4, has_stopped=True),
        GeneratedSummary("Cats", tokens=2, has_stopped=False),
    ]
    scores = score_summaries(summaries, ["The river rose.", "A bridge closed."])
    assert scores.rouge1 == scores.rouge2 == scores.rouge_l == pytest.approx(50)
    assert (scores.stopped_share, scores.mean_tokens) == (0.5, 3)


def test_scores_name_the_tokenizers_that_read_the_summaries() -> None:
    texts = ("The river rose.", "The bridge closed.", "Вода поднялась.")
    scores = score_summaries([GeneratedSummary(text, tokens=4, has_stopped=True) for text in texts], texts)
    assert scores.tokenizers == {"rouge-score": 2, "unicode-words": 1}
    assert scores.rouge1 == pytest.approx(100)


def test_a_tokenizer_without_a_token_for_padding_gives_the_same_summaries(tiny_weights: Path) -> None:
    network, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_weights), AutoTokenizer.from_pretrained(tiny_weights)
    encoder = PairEncoder(tokenizer, prompts=PromptSet(style="news", format=PromptFormat.CHAT))
    texts = ("The river rose by four metres.", "Both bridges were closed. " * 4)
    examples = [encoder.encode_pair(Pair(text, "The river rose.")) for text in texts]
    padded = list(summarize_examples(network, tokenizer, examples, max_new_tokens=8))
    tokenizer.pad_token = None
    assert list(summarize_examples(network, tokenizer, examples, max_new_tokens=8)) == padded
