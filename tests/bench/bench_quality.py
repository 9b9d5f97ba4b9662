"""Is the quality score worth anything? Correlation with human judgements, planted hallucinations, and ROUGE.

The combination is calibrated anew for every fold, on the other folds alone, so that no judgement is estimated from
itself. The signals that need no weights are measured on every summary, the others on the first ITEMS of each data set.

Run: ``python -m tests.bench.bench_quality``. Environment: DATA is a folder with the files of ``judgements.FILES`` and
cnn_dailymail_eval.csv; ITEMS (a number, or ``all``); SWAPS; ROWS, articles that every summarizer gets, 0 for none;
WEIGHTS, a folder with base weights instead of the packaged ones.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tests.bench.judgements import FILES, Judged, read_judgements
from tests.bench.swaps import Document, Swap, plant_swaps
from tests.conftest import SHARED_DATA
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.engine.packaged import ensure_packaged_weights
from workers.evaluation.calibration import estimate_out_of_fold, fit_calibration
from workers.evaluation.consistency import WITH_GENERATOR, WITHOUT_GENERATOR, Signals, choose_calibration
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.examination import Examiner
from workers.evaluation.intervals import correlate_ranks, correlate_values, estimate_correlation, estimate_mean
from workers.evaluation.limits import Limits
from workers.evaluation.metric import Metric
from workers.evaluation.options import EvaluationOptions
from workers.generation import TextGenerator

# Summaries of each data set that the weights read, swapped pairs, and articles that every summarizer gets: together
# about a quarter of an hour on two quiet cores.
ITEMS, SWAPS, ROWS = "30", "20", "12"
SEED = 7

CHEAP = tuple(WITHOUT_GENERATOR.terms)
ALL = tuple(WITH_GENERATOR.terms)


def measure_signals(judged: Sequence[Judged], generator: TextGenerator, *, items: int) -> list[Signals]:
    """Return the signals of every summary; those of the weights for the first ones of each data set."""
    rows: list[Signals] = []
    for place, item in enumerate(judged):
        is_asked = sum(other.dataset == item.dataset for other in judged[:place]) < items
        examiner = Examiner(generator if is_asked else None, EvaluationOptions(), Limits())
        rows.append(examiner.examine(item.source, item.summary).signals)
        if is_asked and place % 10 == 0:
            print(f"judgements: {place} of {len(judged)}", file=sys.stderr, flush=True)
    return rows


def print_judgements(judged: Sequence[Judged], rows: Sequence[Signals]) -> dict[str, float]:
    """Print how well each signal and each combination agrees with people; return the combination's Pearson."""
    judgements = [item.judgement for item in judged]
    asked = [place for place, row in enumerate(rows) if row["likelihood"] is not None]
    columns: dict[str, list[float | None]] = {name: [row[name] for row in rows] for name in ALL}
    for label, names, places in (
        ("combined, no weights (out of fold)", CHEAP, list(range(len(rows)))),
        ("combined (out of fold)", ALL, list(range(len(rows)))),
        ("combined, no weights, same items", CHEAP, asked),
        ("combined, only items with weights", ALL, asked),
    ):
        estimates = estimate_out_of_fold(
            [rows[place] for place in places], [judgements[place] for place in places], names=names
        )
        columns[label] = [None] * len(rows)
        for place, estimate in zip(places, estimates, strict=True):
            columns[label][place] = estimate
    columns["combined, as shipped"] = [choose_calibration(row).estimate(row) for row in rows]
    for dataset, (_, published) in FILES.items():
        print(f"\n{dataset} (QAGS as published: {published})\n\n| signal | n | Pearson | Spearman |\n|---|---|---|---|")
        for label, values in columns.items():
            _print_correlation(label, judged, values, dataset)
    return {f"pearson_{dataset}": _correlate(judged, columns["combined (out of fold)"], dataset) for dataset in FILES}


def _pair(judged: Sequence[Judged], values: Sequence[float | None], dataset: str) -> tuple[list[float], list[float]]:
    pairs = [
        (value, item.judgement)
        for item, value in zip(judged, values, strict=True)
        if value is not None and item.dataset == dataset
    ]
    return [value for value, _ in pairs], [judgement for _, judgement in pairs]


def _correlate(judged: Sequence[Judged], values: Sequence[float | None], dataset: str) -> float:
    found, judgements = _pair(judged, values, dataset)
    return round(estimate_correlation(found, judgements, correlate=correlate_values).value, 4)


def _print_correlation(label: str, judged: Sequence[Judged], values: Sequence[float | None], dataset: str) -> None:
    found, judgements = _pair(judged, values, dataset)
    if len(found) > 2:
        cells = (
            estimate_correlation(found, judgements, correlate=correlate)
            for correlate in (correlate_values, correlate_ranks)
        )
        print(f"| {label} | {len(found)} | {' | '.join(map(str, cells))} |")


def print_swaps(swaps: Iterable[Swap], generator: TextGenerator) -> float:
    """Print what becomes of planted hallucinations; return the share whose summary scores lower."""
    print("\n| true fact | false fact | from the source | true | false | pointed at |\n|---|---|---|---|---|---|")
    lower, pointed = [], []
    for swap in swaps:
        true, false = (
            evaluate_summary(generator, source=swap.document.source, summary=summary).metrics["consistency"]
            for summary in (swap.document.summary, swap.summary)
        )
        lower.append(_read_value(false) < _read_value(true))
        pointed.append(any(swap.points_at_swap(start, end) for start, end in _list_doubts(false)))
        cells = (swap.fact.text, swap.replacement, swap.is_from_source, f"{true.value:.3f}", f"{false.value:.3f}")
        print(f"| {' | '.join(map(str, cells))} | {pointed[-1]} |", flush=True)
    print(f"\nlower: {estimate_mean(lower)}; the evidence points at the fact: {estimate_mean(pointed)}")
    return round(sum(lower) / len(lower), 4)


def _read_value(metric: Metric) -> float:
    if metric.value is None:
        raise ValueError(f"a summary of the bench is not measurable: {metric.reason}")
    return metric.value


def _list_doubts(metric: Metric) -> list[tuple[int, int]]:
    sentences = metric.evidence["sentences"]
    assert isinstance(sentences, list)
    return [(doubt["start"], doubt["end"]) for sentence in sentences for doubt in sentence["doubts"]]


def read_documents(data: Path) -> list[Document]:
    """Return the news articles with their true summaries."""
    with (data / "cnn_dailymail_eval.csv").open(encoding="utf-8", newline="") as file:
        return [Document(row["article"], row["highlights"]) for row in csv.DictReader(file)]


def run_adapter_bench(data: Path, weights: Path, *, rows: int) -> dict[str, float | None]:
    """Run the bench of the shipped adapter on some articles; return what it says of ROUGE-L and of stopping."""
    with tempfile.TemporaryDirectory() as outputs:
        command = [sys.executable, "-m", "tests.bench.bench_adapter", "--base", str(weights), "--rows", str(rows)]
        command += ["--data", str(data / "cnn_dailymail_eval.csv"), "--outputs", outputs]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *table, last = finished.stdout.splitlines()
    print("\n".join(table))
    found = {row["system"]: row for row in json.loads(last)["rows"]}
    return {
        # The base under the prompt that the adapter gets: anything else would compare prompts.
        "rouge_l_base": _round(found["base, the adapter's prompt"]["rouge"]["rougeL"][0]),
        "rouge_l_adapter": _round(found["adapter"]["rouge"]["rougeL"][0]),
        "rouge_l_lead3": _round(found["lead-3"]["rouge"]["rougeL"][0]),
        "stops": _round(found["adapter"]["stopped_share"]),
    }


def _round(value: float) -> float:
    return round(value, 4)


def main() -> None:
    """Measure, print the tables and one line of JSON."""
    started, data = time.monotonic(), Path(os.environ.get("DATA", SHARED_DATA))
    weights = _find_weights()
    judged = read_judgements(data)
    asked = os.environ.get("ITEMS", ITEMS)
    items = len(judged) if asked == "all" else int(asked)
    print(f"data: {len(judged)} judged summaries; the weights read {asked} of each data set")
    with closing(load_engine(EngineConfig(weights=str(weights)))) as engine:
        rows = measure_signals(judged, engine, items=items)
        result: dict[str, float | None] = {**print_judgements(judged, rows)}
        swaps = plant_swaps(read_documents(data), most=int(os.environ.get("SWAPS", SWAPS)), seed=SEED)
        result["swap_detected"] = print_swaps(swaps, engine)
    _print_calibration(judged, rows)
    count = int(os.environ.get("ROWS", ROWS))
    if count:
        result |= run_adapter_bench(data, weights, rows=count)
    print(f"\nseconds: {time.monotonic() - started:.0f}")
    print(json.dumps(result))


def _find_weights() -> Path:
    if "WEIGHTS" in os.environ:
        return Path(os.environ["WEIGHTS"])
    cache = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
    return ensure_packaged_weights(cache / "gemma-3-270m")


def _print_calibration(judged: Sequence[Judged], rows: Sequence[Signals]) -> None:
    """Print what a calibration on these judgements would be: the constants of ``consistency`` come from here."""
    judgements = [item.judgement for item in judged]
    for names in (CHEAP, ALL):
        print(f"\n{fit_calibration(rows, judgements, names=names)}")


if __name__ == "__main__":
    main()
