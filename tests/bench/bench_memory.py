"""Memory over time: what workers, Postgres and Valkey hold while tens of thousands of steps go through them.

Jobs of map-reduce are submitted as a producer does, a few hundred ahead of the workers, so that plan, map and reduce
steps come all the time. Every document is new, with names and numbers that no other has: a cache without a bound would
grow with them. Sentences are verified as by default. Every few seconds the memory, open files, threads and connections
are read; after the first part, in which caches fill, a straight line is fitted to the means of twenty blocks. A reading
is flat if the interval of its slope reaches down to zero. Nothing is deleted, so the database itself grows.

``null`` is an engine that takes no time; ``tiny`` is the real one with random weights of a few MB; ``packaged`` is the
real one with Gemma 3 270M. SIGINT, SIGTERM or ``--seconds`` ends the soak early, with the table so far.

Examples:
  make bench-memory ENGINE=tiny STEPS=50000
  python -m tests.bench.bench_memory --engine null --steps 500000 --workers 2
  python -m tests.bench.bench_memory --engine packaged --seconds 900 --samples samples.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from sqlalchemy import text

from models.choices import Grounding
from models.options import JobOptions, make_options
from models.publisher import OutboxPublisher, open_publisher
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.bench.memory_samples import GROWING, MemoryReader
from tests.bench.queue_cluster import Cluster, open_cluster, wait_until
from tests.bench.slopes import Slope, fit_slope
from tests.chaos.arena import open_arena
from tests.fake_engine import FakeGenerator
from tests.tiny_gemma import build_tiny_gemma
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.engine.prompt_counter import PromptCounter
from workers.local.launch import THREAD_SPIN_LIMIT

CACHE = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
ENGINES = ("null", "tiny", "packaged")
SLOTS = 16
SECTIONS, SENTENCES = 8, 3
# Jobs that wait at least, and that are submitted at once.
AHEAD, BLOCK = 200, 100
SAMPLE_SECONDS, REPORT_SECONDS = 5.0, 60.0
UNIT = 10_000
NOUNS = ("river", "council", "bridge", "engine", "market", "window", "report", "garden", "harbour", "school")
VERBS = ("measured", "closed", "counted", "repaired", "sold", "opened", "described", "moved")
# Steps of jobs that ended between two moments of the database; the second is a little ago, so that none commits late.
LAG_SECONDS = 10
NOW = f"SELECT extract(epoch FROM clock_timestamp()) - {LAG_SECONDS}"
ENDED_BETWEEN = """
SELECT count(*) FROM steps WHERE job_id IN (SELECT id FROM jobs
    WHERE finished_at > to_timestamp(:since) AND finished_at <= to_timestamp(:until))
"""
OPEN = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"
GENERATED = """
SELECT coalesce(sum(completion_tokens), 0) AS tokens,
    coalesce(avg((completion_tokens > 0)::int), 0) AS share
FROM steps WHERE state = 'done' AND kind <> 'plan'
"""
JOBS_BY_STATE = "SELECT state, count(*) AS jobs FROM jobs GROUP BY state ORDER BY state"


@dataclass(slots=True)
class Series:
    """Readings in the order in which they were taken.

    Args:
        steps: that had ended at each.
        readings: of each.
    """

    steps: list[float] = field(default_factory=list)
    readings: list[dict[str, float]] = field(default_factory=list)

    def fit(self, warm_share: float) -> dict[str, Slope]:
        """Return the slope of every reading for each step, without those of the first share of the steps."""
        first = next(place for place, steps in enumerate(self.steps) if steps >= warm_share * self.steps[-1])
        return {
            name: fit_slope(self.steps[first:], [reading[name] for reading in self.readings[first:]])
            for name in self.readings[0]
        }


class Feeder:
    """Submits new documents whenever few jobs are open."""

    def __init__(self, cluster: Cluster, publisher: OutboxPublisher, options: JobOptions) -> None:
        self._cluster, self._publisher, self._options = cluster, publisher, options
        self._chance = random.Random(0)
        self._batches = 0

    def feed(self) -> None:
        """Submit a batch if it is time to."""
        if self._cluster.read_number(OPEN) >= AHEAD:
            return
        self._batches += 1
        sources = [
            Source(f"{self._batches}-{number}", write_document(self._chance), "markdown") for number in range(BLOCK)
        ]
        request = SubmissionRequest(f"batch {self._batches}", self._options)
        Submission(self._cluster.engine, self._publisher, request, SubmissionResult()).run(sources)


class Soak:
    """Feeds the workers and reads what they hold until enough steps have ended."""

    def __init__(self, cluster: Cluster, feeder: Feeder, reader: MemoryReader, samples: Path | None) -> None:
        self._cluster, self._feeder, self._reader, self._samples = cluster, feeder, reader, samples
        self._since = cluster.read_number(NOW)
        self.series = Series()
        self.steps = 0.0

    def run(self, steps: int, seconds: float, stopped: threading.Event) -> float:
        """Run until the steps have ended, the time is over or someone stops it, and return its seconds."""
        started = time.monotonic()
        sampled = reported = started
        while self.steps < steps and time.monotonic() - started < seconds and not stopped.wait(0.5):
            self._feeder.feed()
            if time.monotonic() - sampled < SAMPLE_SECONDS:
                continue
            sampled = time.monotonic()
            self._sample(sampled - started)
            if sampled - reported >= REPORT_SECONDS:
                reported = sampled
                rounded = {name: round(value, 1) for name, value in self.series.readings[-1].items()}
                print(f"{sampled - started:.0f} s, {self.steps:,.0f} steps: {rounded}", file=sys.stderr, flush=True)
        return time.monotonic() - started

    def _sample(self, seconds: float) -> None:
        self._reader.check_workers()
        until = self._cluster.read_number(NOW)
        self.steps += self._cluster.read_number(ENDED_BETWEEN, since=self._since, until=until)
        self._since = until
        readings = self._reader.read()
        self.series.steps.append(self.steps)
        self.series.readings.append(readings)
        if self._samples is not None:
            with self._samples.open("a", encoding="utf-8") as file:
                print(json.dumps({"seconds": seconds, "steps": self.steps} | readings), file=file)


def write_document(chance: random.Random) -> str:
    """Return a document of sections with names and numbers of its own."""

    def invent() -> str:
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(4, 9))).capitalize()

    def write_sentence() -> str:
        noun, other, verb = chance.choice(NOUNS), chance.choice(NOUNS), chance.choice(VERBS)
        return f"The {noun} of {invent()} {verb} {chance.randint(2, 99_999)} parts of the {other} near {invent()}."

    return "\n\n".join(
        f"## {invent()}\n\n" + " ".join(write_sentence() for _ in range(SENTENCES)) for _ in range(SECTIONS)
    )


def choose_options(weights: Path | None, given: argparse.Namespace) -> JobOptions:
    """Return options under which each section is a chunk, too long to stand for its own summary."""
    counter = FakeGenerator() if weights is None else PromptCounter(str(weights))
    document = write_document(random.Random(1))
    return make_options(
        strategy="map-reduce",
        style="technical",
        chunk_tokens=int(1.4 * counter.count_tokens(document) / SECTIONS),
        overlap_tokens=0,
        grounding=given.grounding,
        generation={"max_new_tokens": given.new},
    )


def start_workers(
    stack: ExitStack, cluster: Cluster, weights: Path | None, given: argparse.Namespace
) -> dict[str, int]:
    """Run the workers until the stack is closed, and return their process ids by name."""
    settings: dict[str, str] = {}
    if weights is not None:
        settings = {"weights": str(weights)} | ({"verifier": "none"} if given.engine == "tiny" else {})
    threads = str(given.threads or max(len(os.sched_getaffinity(0)) // given.workers, 1))
    pids = {
        f"worker {number + 1}": stack.enter_context(
            cluster.run_worker(
                "workers" if weights else "tests.fake_worker",
                slots=SLOTS // given.workers,
                node=f"soak{number}",
                environment={**THREAD_SPIN_LIMIT, "OMP_NUM_THREADS": threads},
                **settings,
            )
        )
        for number in range(given.workers)
    }
    alive = "SELECT count(*) FROM workers WHERE stopped_at IS NULL"
    wait_until(lambda: cluster.read_number(alive) == given.workers, "the workers are there")
    return pids


def find_weights(engine: str, folder: Path) -> Path | None:
    """Return the folder of an engine's weights; None for the null engine."""
    if engine == "null":
        return None
    return (
        build_tiny_gemma(folder / "tiny", layers=2)
        if engine == "tiny"
        else ensure_packaged_weights(CACHE / "gemma-3-270m")
    )


def describe_slopes(slopes: dict[str, Slope]) -> Iterator[str]:
    """Yield a table of Markdown."""
    yield "| | at start | at end | per 10,000 steps | 95 % interval |\n|---|---:|---:|---:|---:|"
    for name, slope in slopes.items():
        per_unit, margin = slope.per_unit * UNIT, slope.margin * UNIT
        yield (
            f"| {name} | {slope.first:,.1f} | {slope.last:,.1f} | {per_unit:+.3f} "
            f"| {per_unit - margin:+.3f} to {per_unit + margin:+.3f} |"
        )


def report(soak: Soak, cluster: Cluster, given: argparse.Namespace, seconds: float) -> None:
    """Print the table, the facts of the work, and the line of JSON."""
    with cluster.engine.connect() as connection:
        tokens, share = connection.exec_driver_sql(GENERATED).one()
        jobs = {row.state: row.jobs for row in connection.execute(text(JOBS_BY_STATE))}
    slopes = soak.series.fit(given.warm)
    print(*describe_slopes(slopes), sep="\n")
    print(
        f"\n{soak.steps:,.0f} steps in {seconds:,.0f} s ({soak.steps / seconds:.0f}/s), {len(soak.series.steps)} "
        f"readings, the first {given.warm:.0%} of the steps left out; {tokens:,} tokens were generated, by {share:.1%} "
        f"of the steps that may; jobs: {jobs}; the same processes from start to end."
    )
    figures = {name: [round(slope.per_unit * UNIT, 4), round(slope.margin * UNIT, 4)] for name, slope in slopes.items()}
    growing = [name for name, slope in slopes.items() if slope.is_above_zero and name not in GROWING]
    print(json.dumps({"engine": given.engine, "steps": soak.steps, "per_10000_steps": figures, "growing": growing}))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="null")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=1, help="processes, which share all slots")
    parser.add_argument("--threads", type=int, help="of each process; its share of the cores by default")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which it ends at the latest")
    parser.add_argument("--new", type=int, default=16, help="new tokens of every call, at most")
    parser.add_argument("--grounding", choices=get_args(Grounding), default="strict", help="of the jobs' sentences")
    parser.add_argument("--warm", type=float, default=0.2, help="share of the steps that is left out at the start")
    parser.add_argument("--samples", type=Path, help="a file that every reading is added to, a line of JSON each")
    return parser.parse_args()


def main() -> None:
    """Run the soak and print its table, and one line of JSON at the end."""
    given = parse_arguments()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        weights = find_weights(given.engine, folder)
        cluster = stack.enter_context(open_cluster(stack.enter_context(open_arena(is_durable=True)), 1))
        pids = start_workers(stack, cluster, weights, given)
        publisher = OutboxPublisher(cluster.engine, stack.enter_context(open_publisher(cluster.broker_url)))
        feeder = Feeder(cluster, publisher, choose_options(weights, given))
        soak = Soak(cluster, feeder, MemoryReader(cluster, pids), given.samples)
        seconds = soak.run(given.steps, given.seconds, stopped)
        report(soak, cluster, given, seconds)


if __name__ == "__main__":
    main()
