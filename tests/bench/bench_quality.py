"""Is the quality score worth anything? Agreement with human judgements, planted hallucinations, and ROUGE.

Run: ``make bench-quality DATA=FOLDER``. Every file of the folder that has one of the layouts of ``judgements`` is
measured whole with the packaged verifier, and the last line is JSON: ``pearson_NAME``, or ``auc_NAME``,
``flag_precision_NAME`` and ``flag_recall_NAME`` for a file with spans. With a cnn_dailymail_eval.csv in the folder come
planted hallucinations. Environment: SWAPS of each kind; ROWS, articles that every summarizer gets, none by default;
WEIGHTS, a folder with base weights instead of the packaged ones; VERIFIER, a folder, or ``none``.
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
from pathlib import Path

from models.settings import NO_VERIFIER, PACKAGED
from tests.bench.agreement import measure_file
from tests.bench.bench_adapter import ADAPTED, ADAPTER, LEAD, list_systems
from tests.bench.judgements import read_judged_files
from tests.bench.swaps import Document, Swap, SwapKind, plant_role_swaps, plant_swaps
from tests.shared_data import SHARED_DATA
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.engine.verifier import load_verifier
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.intervals import estimate_mean
from workers.evaluation.metric import Metric
from workers.evaluation.verification import ClaimJudge
from workers.weights.verifier import find_packaged_verifier

# Planted hallucinations of each kind, and articles that every summarizer gets.
SWAPS, ROWS = "50", "0"
ARTICLES = "cnn_dailymail_eval.csv"
SEED = 7


def print_swaps(swaps: Iterable[Swap], judge: ClaimJudge | None) -> float | None:
    """Print the scores of planted hallucinations by kind; return the share that scores lower, None without any."""
    print("\n| true fact | false fact | from | true | false | pointed at |\n|---|---|---|---|---|---|")
    lower: dict[SwapKind, list[bool]] = {kind: [] for kind in SwapKind}
    pointed: dict[SwapKind, list[bool]] = {kind: [] for kind in SwapKind}
    for swap in swaps:
        true, false = (
            evaluate_summary(None, source=swap.document.source, summary=summary, judge=judge)["consistency"]
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
    with (data / ARTICLES).open(encoding="utf-8", newline="") as file:
        return [Document(row["article"], row["highlights"]) for row in csv.DictReader(file)]


def run_adapter_bench(data: Path, weights: Path, *, rows: int) -> dict[str, float | None]:
    """Run the bench of the shipped adapter on some articles; return what it says of ROUGE-L and of stopping.

    Without a shipped adapter its figures are None.
    """
    with tempfile.TemporaryDirectory() as outputs:
        command = [sys.executable, "-m", "tests.bench.bench_adapter", "--base", str(weights), "--rows", str(rows)]
        command += ["--data", str(data / ARTICLES), "--outputs", outputs]
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
    judge = find_judge(weights)
    result: dict[str, float | None] = {}
    for file in read_judged_files(data):
        result |= measure_file(file, judge)
    if (data / ARTICLES).is_file():
        documents, most = read_documents(data), int(os.environ.get("SWAPS", SWAPS))
        swaps = [*plant_swaps(documents, most=most, seed=SEED), *plant_role_swaps(documents, most=most)]
        result["swap_detected"] = print_swaps(swaps, judge)
    if rows := int(os.environ.get("ROWS", ROWS)):
        result |= run_adapter_bench(data, weights, rows=rows)
    print(f"\nseconds: {time.monotonic() - started:.0f}")
    print(json.dumps({name: value if value is None else round(value, 4) for name, value in result.items()}))


def find_judge(weights: Path) -> ClaimJudge | None:
    """Return the verifier of the environment; the packaged one by default."""
    asked = os.environ.get("VERIFIER", PACKAGED)
    folder = find_packaged_verifier() if asked == PACKAGED else None if asked == NO_VERIFIER else Path(asked)
    return None if folder is None else load_verifier(folder, base=weights)


def find_weights() -> Path:
    """Return the folder of the base weights."""
    if "WEIGHTS" in os.environ:
        return Path(os.environ["WEIGHTS"])
    cache = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
    return ensure_packaged_weights(cache / "gemma-3-270m")


if __name__ == "__main__":
    main()
