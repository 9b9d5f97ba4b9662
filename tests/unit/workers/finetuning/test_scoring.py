"""Summaries are scored with ROUGE, and it is known which ended by themselves."""

from __future__ import annotations

import pytest

from workers.finetuning.scoring import GeneratedSummary, score_summaries


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
