"""A soak: thousands of jobs, deletions and digests while everything dies at random; ends with what was found then.

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
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from models.settings import VLLM, read_settings
from tests.chaos.arena import open_arena
from tests.chaos.events import Load, Producers
from tests.chaos.faults import Tormentor
from tests.chaos.forgetting import compare_with_ledger
from tests.chaos.invariants import find_violations
from tests.chaos.scene import Scene
from tests.chaos.vllm_cluster import VllmCluster
from tests.tiny_gemma import build_tiny_family

WORKERS = 3
# Seconds that a generation takes.
GENERATION = (0.01, 0.06)
# Chunks of a job, by strategy; with the plan and the reduce this makes more than six steps a job on average.
LOAD = Load(
    chunks={"map-reduce": (8, 18), "refine": (5, 13), "stuff": (1, 3), "auto": (6, 16)},
    digest_options={"chunk_tokens": 60, "overlap_tokens": 0, "max_new_tokens": 40},
)
# With a vLLM server, which needs a minute to start. ``auto`` would extract without it, because no sentence
# of random weights is true.
VLLM_LOAD = Load(
    chunks={"map-reduce": (2, 3), "refine": (2, 2), "stuff": (1, 1)},
    options={"chunk_tokens": 120, "generation": {"max_new_tokens": 32}},
    digest_options={"chunk_tokens": 120, "overlap_tokens": 0, "max_new_tokens": 32},
)
VLLM_PAUSE = (8.0, 20.0)
# Seconds: some frozen workers lose their leases, and some frozen servers are killed as hung.
VLLM_FROZEN = (2.0, 60.0)
VLLM_LEASE, VLLM_HANG = 15, 45
# Share of the time over which jobs are submitted.
SUBMITTING = 0.9
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
        producers = Producers(scene, VLLM_LOAD if options.engine == VLLM else LOAD, seed=options.seed)
        try:
            started = time.monotonic()
            with (run_vllm if options.engine == VLLM else run_fakes)(scene, options) as tormentor:
                torment(producers, options, tormentor)
                is_over = wait_for_end(scene)
            report = make_report(scene, options, tormentor, producers)
            counts = tormentor.counts + producers.counts
            print_report(report, counts, seconds=time.monotonic() - started, is_over=is_over)
        finally:
            scene.close()
    print(json.dumps({name: report[name] for name in KEYS}))
    return int(any(report[name] for name in BROKEN))


BROKEN = ("lost", "doubled", "not_terminal", "left")
KEYS = (
    *("jobs", "steps", "faults", "deletions", "killed_deletions", "deleted_jobs", "digests", "deleted_digests"),
    *(*BROKEN, "rerun_steps", "seed"),
)


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


def torment(producers: Producers, options: argparse.Namespace, tormentor: Tormentor) -> None:
    """Let producers work while faults happen, and let those go on until the last job is submitted."""
    arguments = {"jobs": options.jobs, "seconds": SUBMITTING * options.seconds}
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(producers.run, **arguments)
        tormentor.run(options.seconds, has_work=lambda: not work.done())
        tormentor.stop()
        work.result()


def wait_for_end(scene: Scene) -> bool:
    """Wait until every job and every deletion has ended and no message is left; False if that takes too long."""
    is_open = """
        SELECT (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running'))
             + (SELECT count(*) FROM deletions WHERE finished_at IS NULL)"""
    try:
        scene.wait_until(
            lambda: scene.count(is_open) + scene.count_messages() == 0, "all work has ended", seconds=PATIENCE
        )
    except AssertionError:
        return False
    return True


def make_report(
    scene: Scene, options: argparse.Namespace, tormentor: Tormentor, producers: Producers
) -> dict[str, object]:
    """Ask the cluster what happened, and compare it with what producers were told."""
    ledger = producers.ledger
    findings = [find_violations(scene.engine), compare_with_ledger(scene, ledger)]
    with scene.engine.connect() as connection:
        slowest = float(connection.execute(text(SLOWEST)).scalar_one())
    digests = scene.count("SELECT count(*) FROM jobs WHERE options ->> 'digest' = 'true'")
    return {
        "jobs": len(ledger.jobs),
        "steps": scene.count("SELECT count(*) FROM steps"),
        "faults": tormentor.counts.total(),
        "deletions": scene.count("SELECT count(*) FROM deletions"),
        "killed_deletions": producers.counts["deletion killed"],
        "deleted_jobs": scene.count("SELECT coalesce(sum(jobs), 0) FROM deletions"),
        "digests": len(ledger.digests),
        "deleted_digests": len(ledger.digests) - digests,
        **{name: sum(getattr(found, name) for found in findings) for name in BROKEN},
        "rerun_steps": scene.count("SELECT count(*) FROM steps WHERE attempt > 1"),
        "seed": options.seed,
        "slowest": slowest,
        "states": count_by(scene, "state", "jobs"),
        "strategies": count_by(scene, "strategy", "jobs"),
        "outcomes": count_by(scene, "outcome", "step_attempts"),
        "violations": findings[0].details | findings[1].details,
        "worker_starts": scene.count("SELECT count(*) FROM workers"),
    }


def count_by(scene: Scene, column: str, table: str) -> dict[str, int]:
    """Return how many rows have each value of a column."""
    with scene.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT coalesce({column}, 'none'), count(*) FROM {table} GROUP BY 1"))
        return {value: count for value, count in rows}  # noqa: C416 - rows are not quite tuples


def print_report(report: dict[str, object], counts: Counter[str], *, seconds: float, is_over: bool) -> None:
    """Print the table."""
    table = Table("what", "how many", title=f"soak, seed {report['seed']}")
    for name in ("jobs", "states", "strategies", "steps", "outcomes", "faults", *KEYS[3:8]):
        table.add_row(name.replace("_", " "), _write(report[name]))
    for name, count in sorted(counts.items()):
        table.add_row(f"  {name}", str(count))
    table.add_row("worker processes started", _write(report["worker_starts"]))
    table.add_row("steps run more than once", _write(report["rerun_steps"]))
    table.add_row("slowest recovery", f"{report['slowest']:.1f} s")
    table.add_row("whole soak", f"{seconds:.0f} s" if is_over else f"{seconds:.0f} s, and not over")
    for name in (*BROKEN, "violations"):
        table.add_row(name, _write(report[name]))
    Console(width=100).print(table)


def _write(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
