from pathlib import Path

import numpy as np
import pytest

from tests.bench.bench_quality import list_doubts, read_documents
from tests.bench.calibration import estimate_out_of_fold
from tests.bench.correlations import correlate_values
from tests.bench.judgements import FILES, read_judgements
from tests.bench.swaps import SwapKind, plant_swaps
from workers.evaluation.consistency import WITHOUT_GENERATOR
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.examination import Examiner
from workers.evaluation.limits import StopConditions
from workers.evaluation.metric import Metric


def test_planted_hallucinations_score_lower_and_are_pointed_at_even_without_weights(shared_data: Path) -> None:
    def check(source: str, summary: str) -> Metric:
        return evaluate_summary(None, source=source, summary=summary)["consistency"]

    lower, pointed = [], []
    for swap in plant_swaps(read_documents(shared_data), most=20, seed=1):
        true, false = (check(swap.document.source, text) for text in (swap.document.summary, swap.summary))
        assert true.value is not None
        assert false.value is not None
        lower.append(false.value < true.value)
        if swap.kind is SwapKind.STRANGER:
            pointed.append(any(swap.points_at_swap(start, end) for start, end in list_doubts(false)))
    assert sum(lower) >= 16
    assert sum(pointed) >= 9


def test_the_cheap_signals_agree_with_people_better_than_the_paper_reports_for_qags(shared_data: Path) -> None:
    judged, examiner = read_judgements(shared_data), Examiner(None, StopConditions())
    rows = [examiner.examine(item.source, item.summary).signals for item in judged]
    judgements = [item.judgement for item in judged]
    estimates = np.array(estimate_out_of_fold(rows, judgements, names=tuple(WITHOUT_GENERATOR.terms)))
    for dataset, (_, published) in FILES.items():
        chosen = np.array([item.dataset == dataset for item in judged])
        assert correlate_values(estimates[chosen], np.array(judgements)[chosen]) > published


@pytest.mark.parametrize("dataset", FILES)
def test_every_judged_summary_can_be_measured(dataset: str, shared_data: Path) -> None:
    items = [item for item in read_judgements(shared_data) if item.dataset == dataset][:20]
    results = [evaluate_summary(None, source=item.source, summary=item.summary) for item in items]
    assert all(result["consistency"].value is not None for result in results)
