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
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.bench.agreement import measure_signals, print_agreement, print_calibrations
from tests.bench.bench_adapter import ADAPTED, ADAPTER, LEAD, list_systems
from tests.bench.judgements import read_judgements
from tests.bench.swaps import Document, Swap, SwapKind, plant_role_swaps, plant_swaps
from tests.shared_data import SHARED_DATA
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.intervals import estimate_mean
from workers.evaluation.metric import Metric
from workers.generation import TextGenerator

# Summaries of each data set that the weights read, swapped pairs, and articles that every summarizer gets: together
# about a quarter of an hour on two quiet cores.
ITEMS, SWAPS, ROWS = "30", "20", "12"
SEED = 7


def print_swaps(swaps: Iterable[Swap], generator: TextGenerator) -> float | None:
    """Print the scores of planted hallucinations by kind; return the share that scores lower, None without any."""
    print("\n| true fact | false fact | from | true | false | pointed at |\n|---|---|---|---|---|---|")
    lower: dict[SwapKind, list[bool]] = {kind: [] for kind in SwapKind}
    pointed: dict[SwapKind, list[bool]] = {kind: [] for kind in SwapKind}
    for swap in swaps:
        true, false = (
            evaluate_summary(generator, source=swap.document.source, summary=summary)["consistency"]
            for summary in (swap.document.summary, swap.summary)
        )
        if true.value is None or false.value is None:
            print(f"| {swap.fact} | {swap.replacement} | not measurable: {true.reason or false.reason} |", flush=True)
            continue
        lower[swap.kind].append(false.value < true.value)
        pointed[swap.kind].append(any(swap.points_at_swap(start, end) for start, end in list_doubts(false)))
        cells = (swap.fact, swap.replacement, swap.kind, f"{true.value:.3f}", f"{false.value:.3f}")
        print(f"| {' | '.join(map(str, cells))} | {pointed[swap.kind][-1]} |", flush=True)
    for kind in SwapKind:
        if lower[kind]:
            shares = f"lower: {estimate_mean(lower[kind])}; pointed at: {estimate_mean(pointed[kind])}"
            print(f"\nfrom {kind}: {len(lower[kind])} swaps; {shares}")
    found = [is_lower for flags in lower.values() for is_lower in flags]
    return sum(found) / len(found) if found else None


def list_doubts(metric: Metric) -> list[tuple[int, int]]:
    """Return the spans of a summary that its evidence doubts."""
    sentences = metric.evidence["sentences"]
    assert isinstance(sentences, list)
    return [(doubt["start"], doubt["end"]) for sentence in sentences for doubt in sentence["doubts"]]


def read_documents(data: Path) -> list[Document]:
    """Return the news articles with their true summaries."""
    with (data / "cnn_dailymail_eval.csv").open(encoding="utf-8", newline="") as file:
        return [Document(row["article"], row["highlights"]) for row in csv.DictReader(file)]


def run_adapter_bench(data: Path, weights: Path, *, rows: int) -> dict[str, float | None]:
    """Run the bench of the shipped adapter on some articles; return what it says of ROUGE-L and of stopping.

    Without a shipped adapter its figures are None; with no rows all of them are.
    """
    if not rows:
        return dict.fromkeys(("rouge_l_base", "rouge_l_adapter", "rouge_l_lead3", "stops"))
    with tempfile.TemporaryDirectory() as outputs:
        command = [sys.executable, "-m", "tests.bench.bench_adapter", "--base", str(weights), "--rows", str(rows)]
        command += ["--data", str(data / "cnn_dailymail_eval.csv"), "--outputs", outputs]
        if not (ADAPTER / "adapter_config.json").exists():
            command += ["--only", *(system.name for system in list_systems(ADAPTER) if system.adapter is None)]
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *table, last = finished.stdout.splitlines()
    print("\n".join(table))
    found = {row["system"]: row for row in json.loads(last)["rows"]}
    adapted = found.get(ADAPTED)
    return {
        # The base under the prompt that the adapter gets: anything else would compare prompts.
        "rouge_l_base": found["base, the adapter's prompt"]["rouge"]["rougeL"][0],
        "rouge_l_adapter": adapted and adapted["rouge"]["rougeL"][0],
        "rouge_l_lead3": found[LEAD]["rouge"]["rougeL"][0],
        "stops": adapted and adapted["stopped_share"],
    }


def main() -> None:
    """Measure, print the tables and one line of JSON."""
    started, data = time.monotonic(), Path(os.environ.get("DATA", SHARED_DATA))
    weights = find_weights()
    judged = read_judgements(data)
    asked = os.environ.get("ITEMS", ITEMS)
    items = len(judged) if asked == "all" else int(asked)
    print(f"data: {len(judged)} judged summaries; the weights read {asked} of each data set")
    with closing(load_engine(EngineConfig(weights=str(weights)))) as engine:
        rows = measure_signals(judged, engine, items=items)
        result: dict[str, float | None] = {**print_agreement(judged, rows)}
        documents, most = read_documents(data), int(os.environ.get("SWAPS", SWAPS))
        swaps = (*plant_swaps(documents, most=most, seed=SEED), *plant_role_swaps(documents, most=most // 2))
        result["swap_detected"] = print_swaps(swaps, engine)
    print_calibrations(judged, rows)
    result |= run_adapter_bench(data, weights, rows=int(os.environ.get("ROWS", ROWS)))
    print(f"\nseconds: {time.monotonic() - started:.0f}")
    print(json.dumps({name: value and round(value, 4) for name, value in result.items()}))


def find_weights() -> Path:
    """Return the folder of the base weights."""
    if "WEIGHTS" in os.environ:
        return Path(os.environ["WEIGHTS"])
    cache = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
    return ensure_packaged_weights(cache / "gemma-3-270m")


if __name__ == "__main__":
    main()
