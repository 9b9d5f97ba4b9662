import csv
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from workers.evaluation.errors import PairingError
from workers.evaluation.rouge import ROUGE_METRICS, report_rouge

DATA = Path(__file__).parents[5] / "shared" / "data"


def test_rouge_equals_rouge_scores_own_on_real_pairs() -> None:
    with (DATA / "cnn_dailymail_eval.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    leads, references = [row["article"][:400] for row in rows], [row["highlights"] for row in rows]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    report = report_rouge(leads, references)
    assert len(report.rows) == 100
    for row, lead, reference in zip(report.rows, leads, references, strict=True):
        expected = scorer.score(reference, lead)
        for name in ROUGE_METRICS:
            assert row[name] == pytest.approx(expected[name].fmeasure, abs=1e-6)


def test_the_mean_lies_in_its_interval() -> None:
    mean = report_rouge(["a cat", "a dog", "no"], ["a cat sat", "a dog", "yes"]).means["rouge1"]
    assert mean.low <= mean.value <= mean.high
    assert mean.count == 3


@pytest.mark.parametrize(("summaries", "references"), [([], []), (["one"], ["one", "two"])])
def test_summaries_without_their_references_are_refused(summaries: list[str], references: list[str]) -> None:
    with pytest.raises(PairingError, match=f"{len(summaries)} summaries and {len(references)} references"):
        report_rouge(summaries, references)
