"""A soak: thousands of jobs while everything dies at random; ends with what the database says about it.

With ``--engine vllm`` the workers generate on a real vLLM server, and faults hit that too. Its weights are random and
small, because a start takes a minute even so. ``GISTMILL_VLLM`` names the Python that has vLLM.

Examples:
  make chaos JOBS=200 SECONDS=60 SEED=7
  make chaos ENGINE=vllm
  python -m tests.chaos.soak --jobs 2000 --seconds 300
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.job import Priority
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.settings import VLLM, read_settings
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.chaos.arena import open_arena
from tests.chaos.faults import Tormentor
from tests.chaos.invariants import Findings, find_violations
from tests.chaos.scene import Scene, choose_options, write_text
from tests.chaos.vllm_cluster import VllmCluster
from tests.tiny_gemma import build_tiny_family

WORKERS = 3
# Jobs per submission: as the time goes on, so that every fault finds work.
BLOCK_JOBS = 20
# Seconds that a generation takes.
GENERATION = (0.01, 0.06)
# Chunks of a job, by strategy; with the plan and the reduce this makes more than six steps a job on average.
CHUNKS = {"map-reduce": (8, 18), "refine": (5, 13), "stuff": (1, 3), "auto": (6, 16)}
# With a vLLM server, which needs a minute to start. ``auto`` would extract without it, because no sentence
# of random weights is true.
VLLM_CHUNKS = {"map-reduce": (2, 3), "refine": (2, 2), "stuff": (1, 1)}
VLLM_OPTIONS = {"chunk_tokens": 120, "generation": {"max_new_tokens": 32}}
VLLM_PAUSE = (8.0, 20.0)
# Seconds: some frozen workers lose their leases, and some frozen servers are killed as hung.
VLLM_FROZEN = (2.0, 60.0)
VLLM_LEASE, VLLM_HANG = 15, 45
# Seconds until the last job must have ended after the last fault; the worst backoff is one minute.
PATIENCE = 1800

# How long a step whose lease was taken back waited for its next run, in the queue behind others included.
SLOWEST = """
SELECT coalesce(max(extract(epoch FROM later.started_at - lost.ended_at)), 0)
FROM step_attempts AS lost
JOIN step_attempts AS later ON later.step_id = lost.step_id AND later.attempt = lost.attempt + 1
WHERE lost.outcome = 'lost'"""


def main() -> int:
    """Run the soak and print what came of it."""
    options = parse_arguments()
    with open_arena() as arena, tempfile.TemporaryDirectory() as folder:
        scene = Scene(arena, Path(folder))
        try:
            started = time.monotonic()
            with (run_vllm if options.engine == VLLM else run_fakes)(scene, options) as tormentor:
                torment(scene, options, tormentor)
                is_over = wait_for_end(scene)
            report = make_report(scene, options, tormentor)
            print_report(report, tormentor, seconds=time.monotonic() - started, is_over=is_over)
        finally:
            scene.close()
    print(json.dumps({name: report[name] for name in KEYS}))
    return int(any(report[name] for name in ("lost", "doubled", "not_terminal")))


KEYS = ("jobs", "steps", "faults", "lost", "doubled", "not_terminal", "rerun_steps", "seed")


def parse_arguments() -> argparse.Namespace:
    """Read the command line; without a seed it draws one."""
    parser = argparse.ArgumentParser(description="Soak the cluster in random faults.")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--engine", choices=("fake", VLLM), default="fake")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = secrets.randbelow(10**6)
    print(f"seed {options.seed}, {options.jobs} jobs, faults for {options.seconds:.0f} s", flush=True)
    return options


@contextmanager
def run_fakes(scene: Scene, options: argparse.Namespace) -> Iterator[Tormentor]:
    """Run workers whose engine needs no weights."""
    for _ in range(WORKERS):
        scene.add_worker(seconds=GENERATION, slots=8, log_level="warning", rescue_seconds=1)
    scene.keep_workers()
    yield Tormentor(scene.arena, scene.workers, seed=options.seed)


@contextmanager
def run_vllm(scene: Scene, options: argparse.Namespace) -> Iterator[Tormentor]:
    """Run workers on a vLLM server with the packaged weights."""
    cluster = VllmCluster(
        scene,
        python=read_settings().vllm or Path(sys.executable),
        weights=build_vllm_weights(scene.folder / "weights"),
        workers=WORKERS,
        slots=8,
        context_tokens=2048,
        kv_cache_gb=1,
        dtype="float32",
        vllm_options="--enforce-eager",
        rescue_seconds=1,
        drain_seconds=10,
        lease_seconds=VLLM_LEASE,
        hang_seconds=VLLM_HANG,
        step_deadline_seconds=600,
    )
    try:
        cluster.start()
        print("vLLM serves", flush=True)
        tormentor = Tormentor(scene.arena, cluster.workers, seed=options.seed, pause=VLLM_PAUSE, frozen=VLLM_FROZEN)
        tormentor.add_engine_server(cluster.server, cluster.launcher)
        yield tormentor
        print(f"vLLM was started {cluster.count_server_starts()} times", flush=True)
    finally:
        cluster.close()


def build_vllm_weights(folder: Path) -> Path:
    """Write a random Gemma 3 of a head size that vLLM has on CPUs."""
    from transformers import Gemma3TextConfig

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "head_dim": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = Gemma3TextConfig(vocab_size=1024, max_position_embeddings=4096, sliding_window=512, **sizes, **heads)
    return build_tiny_family(folder, config)


def torment(scene: Scene, options: argparse.Namespace, tormentor: Tormentor) -> None:
    """Submit the jobs little by little while faults happen, and let those go on until the last is submitted."""
    producer = threading.Thread(target=submit_jobs, args=(scene, options))
    producer.start()
    tormentor.run(options.seconds, has_work=producer.is_alive)
    tormentor.stop()
    producer.join()


def submit_jobs(scene: Scene, options: argparse.Namespace) -> None:
    """Submit blocks of jobs over nine tenths of the time; a block that Postgres refuses is submitted again."""
    chance = random.Random(options.seed)
    blocks = -(-options.jobs // BLOCK_JOBS)
    chunks = VLLM_CHUNKS if options.engine == VLLM else CHUNKS
    began = time.monotonic()
    for block in range(blocks):
        time.sleep(max(0.0, began + block * 0.9 * options.seconds / blocks - time.monotonic()))
        strategy = chance.choice(list(chunks))
        count = min(BLOCK_JOBS, options.jobs - block * BLOCK_JOBS)
        names = [f"text{block}x{place}" for place in range(count)]
        sources = [Source(name, write_text(name, chance.randint(*chunks[strategy])), "markdown") for name in names]
        job_options = choose_options(strategy=strategy, **(VLLM_OPTIONS if options.engine == VLLM else {}))
        request = SubmissionRequest(f"block{block}", job_options, chance.choice(list(Priority)))
        submit_block(scene, request, sources)


def submit_block(scene: Scene, request: SubmissionRequest, sources: Sequence[Source]) -> None:
    """Submit as a user does, again if Postgres was away: the same submission creates nothing twice."""
    app = make_celery(scene.arena.broker_url)
    outbox_publisher = OutboxPublisher(scene.engine, CeleryPublisher(app))
    while True:
        try:
            Submission(scene.engine, outbox_publisher, request, SubmissionResult()).run(sources)
        except OperationalError:
            time.sleep(0.2)
        else:
            break
    app.close()


def wait_for_end(scene: Scene) -> bool:
    """Wait until every job is final; False if that takes too long."""
    open_jobs = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"
    try:
        scene.wait_until(lambda: scene.count(open_jobs) == 0, "every job is final", seconds=PATIENCE)
    except AssertionError:
        return False
    return True


def make_report(scene: Scene, options: argparse.Namespace, tormentor: Tormentor) -> dict[str, object]:
    """Ask the database what happened."""
    findings: Findings = find_violations(scene.engine)
    jobs = scene.count("SELECT count(*) FROM jobs")
    with scene.engine.connect() as connection:
        slowest = float(connection.execute(text(SLOWEST)).scalar_one())
    states = count_by(scene, "state", "jobs")
    outcomes = count_by(scene, "outcome", "step_attempts")
    return {
        "jobs": jobs,
        "steps": scene.count("SELECT count(*) FROM steps"),
        "faults": tormentor.counts.total(),
        "lost": findings.lost + max(0, options.jobs - jobs),
        "doubled": findings.doubled + max(0, jobs - options.jobs),
        "not_terminal": findings.not_terminal,
        "rerun_steps": scene.count("SELECT count(*) FROM steps WHERE attempt > 1"),
        "seed": options.seed,
        "slowest": slowest,
        "states": states,
        "strategies": count_by(scene, "strategy", "jobs"),
        "outcomes": outcomes,
        "violations": findings.details,
        "worker_starts": scene.count("SELECT count(*) FROM workers"),
    }


def count_by(scene: Scene, column: str, table: str) -> dict[str, int]:
    """Return how many rows have each value of a column."""
    with scene.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT coalesce({column}, 'none'), count(*) FROM {table} GROUP BY 1"))
        return {value: count for value, count in rows}  # noqa: C416 - rows are not quite tuples


def print_report(report: dict[str, object], tormentor: Tormentor, *, seconds: float, is_over: bool) -> None:
    """Print the table."""
    table = Table("what", "how many", title=f"soak, seed {report['seed']}")
    for name in ("jobs", "states", "strategies", "steps", "outcomes", "faults"):
        table.add_row(name, _write(report[name]))
    for name, count in sorted(tormentor.counts.items()):
        table.add_row(f"  {name}", str(count))
    table.add_row("worker processes started", _write(report["worker_starts"]))
    table.add_row("steps run more than once", _write(report["rerun_steps"]))
    table.add_row("slowest recovery", f"{report['slowest']:.1f} s")
    table.add_row("whole soak", f"{seconds:.0f} s" if is_over else f"{seconds:.0f} s, and not over")
    for name in ("lost", "doubled", "not_terminal", "violations"):
        table.add_row(name, _write(report[name]))
    Console(width=100).print(table)


def _write(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
