"""Is the quality score worth anything? Agreement with human judgements, planted hallucinations, and ROUGE.

Run: ``make bench-quality DATA=FOLDER``. Every file of the folder that has one of the layouts of ``judgements`` is
measured whole with the packaged verifier, and the last line is JSON: ``pearson_NAME``, or ``auc_NAME``,
``flag_precision_NAME`` and ``flag_recall_NAME`` for a file with spans. With a cnn_dailymail_eval.csv in the folder come
planted hallucinations: ``swap_detected``, and for each kind (``stranger``, ``source``, ``roles``) ``swap_lower_KIND``,
``swap_pointed_at_KIND`` and ``swap_refused_KIND``. Environment: SWAPS of each kind; ROWS, articles that every
summarizer gets, none by default; WEIGHTS, a folder with base weights instead of the packaged ones; VERIFIER, a folder,
or ``none``.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models.settings import NO_VERIFIER, PACKAGED
from tests.bench.agreement import measure_file
from tests.bench.bench_adapter import ADAPTED, ADAPTER, LEAD, list_systems
from tests.bench.judgements import read_judged_files
from tests.bench.planted import measure_swaps
from tests.bench.swaps import Document, plant_role_swaps, plant_swaps
from tests.shared_data import SHARED_DATA
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.engine.verifier import load_verifier
from workers.evaluation.verification import ClaimJudge
from workers.weights.verifier import find_packaged_verifier

# Planted hallucinations of each kind, and articles that every summarizer gets.
SWAPS, ROWS = "50", "0"
ARTICLES = "cnn_dailymail_eval.csv"
SEED = 7


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
        swaps = [*plant_swaps(documents, most=2 * most, seed=SEED), *plant_role_swaps(documents, most=most)]
        result |= measure_swaps(swaps, judge)
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
