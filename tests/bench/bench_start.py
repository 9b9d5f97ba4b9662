"""From the start of a process to its first token: a worker beside bare transformers, on the same weights.

Both begin with a fresh interpreter. The bare process imports torch and transformers, loads tokenizer and weights in
float32, and generates one token. The worker does all that a worker does before: it connects, loads, checks, hashes and
takes a job from the queue; its verifier is a second network. As jobs are by default, its answer is verified before it
is stored. Runs are interleaved; the files are in the page cache for both.

Run: ``python -m tests.bench.bench_start [--rounds 5] [--weights FOLDER] [--grounding off]``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import get_args

from models.choices import Grounding
from models.options import make_options
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.bench.bench_pipeline import CACHE
from tests.bench.queue_cluster import Cluster, open_cluster
from tests.chaos.arena import open_arena
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.local.launch import THREAD_SPIN_LIMIT

TEXT = "The river rose by four metres in two days, and the council closed both of the old bridges."
PATIENCE_SECONDS = 300
BARE = """
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
network = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
network.generate(**tokenizer(sys.argv[2], return_tensors="pt"), max_new_tokens=1, do_sample=False)
"""
OPTIONS = make_options(
    strategy="stuff", style="news", cache=False, generation={"do_sample": False, "max_new_tokens": 1}
)


def start_bare(weights: Path) -> float:
    """Return the seconds until a bare process has its first token."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", BARE, str(weights), TEXT], check=True, capture_output=True)
    return time.monotonic() - started


def start_worker(cluster: Cluster, weights: Path, number: int, grounding: Grounding) -> float:
    """Return the seconds until a worker that finds a job waiting has stored its first answer."""
    app = make_celery(cluster.broker_url)
    outbox_publisher = OutboxPublisher(cluster.engine, CeleryPublisher(app))
    source = Source(f"text {number}", f"{TEXT} It was day {number}.", "text")
    request = SubmissionRequest(f"start {number}", OPTIONS.model_copy(update={"grounding": grounding}))
    Submission(cluster.engine, outbox_publisher, request, SubmissionResult()).run([source])
    app.close()
    environment = {**THREAD_SPIN_LIMIT, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    answered = "SELECT count(*) FROM step_attempts JOIN steps ON steps.id = step_id WHERE kind = 'stuff'"
    before, started = cluster.read_number(answered), time.monotonic()
    with cluster.run_worker("workers", slots=16, environment=environment, weights=str(weights)):
        while cluster.read_number(answered) == before:
            if time.monotonic() - started > PATIENCE_SECONDS:
                raise SystemExit("the worker gave no answer")
            time.sleep(0.02)
        return time.monotonic() - started


def main() -> None:
    """Measure both, print a table, and one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", type=Path, help="a weights folder; the packaged Gemma 3 270M by default")
    parser.add_argument("--grounding", choices=get_args(Grounding), default="strict", help="of the jobs' sentences")
    given = parser.parse_args()
    weights = given.weights or ensure_packaged_weights(CACHE / "gemma-3-270m")
    # Only what pip has installed would be compiled already, and our own modules at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with open_arena(is_durable=True) as arena, open_cluster(arena, 1) as cluster:
        # Once for the page cache and the compiled modules.
        start_bare(weights)
        start_worker(cluster, weights, -1, given.grounding)
        pairs = [
            (start_bare(weights), start_worker(cluster, weights, number, given.grounding))
            for number in range(given.rounds)
        ]
    print("| seconds to the first token | median | from to |\n|---|---:|---:|")
    for name, values in zip(
        ("bare from_pretrained, float32", "worker, from the queue"), zip(*pairs, strict=True), strict=True
    ):
        print(f"| {name} | {median(values):.1f} | {min(values):.1f} to {max(values):.1f} |")
    print(json.dumps({"worker_over_bare": round(median(worker / bare for bare, worker in pairs), 3)}))


if __name__ == "__main__":
    main()
