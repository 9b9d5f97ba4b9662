import csv
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from workers.evaluation.rouge import ROUGE_METRICS, score_rouge


def test_rouge_equals_rouge_scores_own_on_real_pairs(shared_data: Path) -> None:
    with (shared_data / "cnn_dailymail_eval.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    leads, references = [row["article"][:400] for row in rows], [row["highlights"] for row in rows]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    assert len(rows) == 100
    for lead, reference in zip(leads, references, strict=True):
        found, expected = score_rouge(lead, reference), scorer.score(reference, lead)
        for name in ROUGE_METRICS:
            assert found[name] == pytest.approx(expected[name].fmeasure, abs=1e-6)
