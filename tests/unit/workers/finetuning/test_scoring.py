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
