"""How well the scores of summaries and the marks of sentences agree with people, for every file of judged ones.

People judged QAGS sentence by sentence, and the share of consistent sentences is compared with ``consistency``.
RAGTruth has spans of what is unsupported, and whether there is any is compared with ``least_support``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.correlations import correlate_ranks, correlate_values, estimate_correlation
from tests.bench.judgements import JudgedFile, MarkedSummary
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.intervals import Interval, Numbers, bootstrap
from workers.evaluation.metric import Metric
from workers.evaluation.verification import ClaimJudge

# A line about progress after so many summaries.
PROGRESS_STEP = 50


@dataclass(frozen=True, slots=True)
class Measured:
    """Score of one summary, with its sentences as spans and marks; None where it is not measurable."""

    value: float | None
    sentences: tuple[tuple[int, int, bool], ...]


def measure_file(file: JudgedFile, judge: ClaimJudge | None) -> dict[str, float]:
    """Measure every summary of a file, print a table, and return its figures by their names."""
    summaries = file.judged or file.marked
    score = "consistency" if file.judged else "least_support"
    found: list[Measured] = []
    for place, item in enumerate(summaries):
        metrics = evaluate_summary(None, source=item.source, summary=item.summary, judge=judge)
        found.append(Measured(metrics[score].value, tuple(list_sentences(metrics["consistency"]))))
        if place % PROGRESS_STEP == 0:
            print(f"{file.name}: {place} of {len(summaries)}", file=sys.stderr, flush=True)
    if file.judged:
        return report_correlation(file, found)
    return report_marks(file, found)


def list_sentences(metric: Metric) -> list[tuple[int, int, bool]]:
    """Return start, end and mark of every sentence of a summary."""
    sentences = metric.evidence.get("sentences", [])
    assert isinstance(sentences, list)
    return [(sentence["start"], sentence["end"], sentence["is_marked"]) for sentence in sentences]


def report_correlation(file: JudgedFile, found: Sequence[Measured]) -> dict[str, float]:
    """Print and return the correlation of consistency with the judgements."""
    pairs = [
        (measured.value, item.judgement)
        for measured, item in zip(found, file.judged, strict=True)
        if measured.value is not None
    ]
    values, judgements = [value for value, _ in pairs], [judgement for _, judgement in pairs]
    pearson, spearman = (
        estimate_correlation(values, judgements, correlate=how) for how in (correlate_values, correlate_ranks)
    )
    print(f"\n| {file.name} | summaries | Pearson | Spearman |\n|---|---|---|---|")
    print(f"| consistency | {len(pairs)} of {len(found)} | {pearson} | {spearman} |", flush=True)
    return {f"pearson_{file.name}": pearson.value}


def report_marks(file: JudgedFile, found: Sequence[Measured]) -> dict[str, float]:
    """Print and return how the least support tells faithful summaries from others, and how often a mark is right."""
    faithful = [not item.spans for item in file.marked]
    known = [place for place, measured in enumerate(found) if measured.value is not None]
    values = np.array([found[place].value for place in known], dtype=np.float64)
    area = estimate_area(values, np.array([faithful[place] for place in known]))
    marks = [pair for measured, item in zip(found, file.marked, strict=True) for pair in pair_marks(measured, item)]
    precision, recall, base = measure_marks(marks)
    print(f"\n| {file.name} | summaries | AUC | sentences | unsupported | marks | precision | recall |")
    print("|---|---|---|---|---|---|---|---|")
    cells = (f"{len(known)} of {len(found)}", area, len(marks), f"{base:.3f}", sum(is_marked for is_marked, _ in marks))
    print(f"| least_support | {' | '.join(map(str, cells))} | {precision:.3f} | {recall:.3f} |", flush=True)
    return {
        f"auc_{file.name}": area.value,
        f"flag_precision_{file.name}": precision,
        f"flag_recall_{file.name}": recall,
    }


def pair_marks(measured: Measured, item: MarkedSummary) -> list[tuple[bool, bool]]:
    """Return for every sentence whether it is marked, and whether people found any of it unsupported."""
    return [(is_marked, item.is_unsupported(start, end)) for start, end, is_marked in measured.sentences]


def measure_marks(marks: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Return precision and recall of marks, and the share of unsupported sentences; 0 where nothing is marked."""
    right = sum(is_marked and is_wrong for is_marked, is_wrong in marks)
    marked, wrong = sum(is_marked for is_marked, _ in marks), sum(is_wrong for _, is_wrong in marks)
    return right / max(marked, 1), right / max(wrong, 1), wrong / max(len(marks), 1)


def estimate_area(values: Numbers, faithful: np.typing.NDArray[np.bool_]) -> Interval:
    """Return the area under the ROC curve: the share of pairs in which the faithful summary scores higher."""
    return bootstrap(len(values), lambda items: measure_area(values[items], faithful[items]))


def measure_area(values: Numbers, faithful: np.typing.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; NaN without both kinds. Ties count half."""
    good, bad = values[faithful], values[~faithful]
    if not len(good) or not len(bad):
        return float("nan")
    differences = good[:, None] - bad[None, :]  # [faithful, unfaithful]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())
