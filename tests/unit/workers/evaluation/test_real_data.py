from pathlib import Path

import numpy as np

from tests.bench.agreement import measure_area
from tests.bench.bench_quality import read_documents
from tests.bench.judgements import read_judged_files
from tests.bench.planted import list_doubts
from tests.bench.swaps import SwapKind, plant_swaps
from workers.evaluation.evaluate import evaluate_summary
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


def test_faithful_summaries_score_above_those_with_unsupported_spans_even_without_a_verifier(shared_data: Path) -> None:
    [file] = [file for file in read_judged_files(shared_data) if file.name == "ragtruth"]
    summaries = file.marked[::4]
    values = [
        evaluate_summary(None, source=item.source, summary=item.summary)["least_support"].value for item in summaries
    ]

    area = measure_area(np.array(values, dtype=np.float64), np.array([not item.spans for item in summaries]))

    assert area > 0.6


def test_every_judged_summary_can_be_measured(shared_data: Path) -> None:
    files = [file for file in read_judged_files(shared_data) if file.judged]

    assert {file.name for file in files} == {"cnndm", "xsum"}
    for item in (item for file in files for item in file.judged[:20]):
        metric = evaluate_summary(None, source=item.source, summary=item.summary)["consistency"]
        assert metric.value is not None
