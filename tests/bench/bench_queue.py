"""What the queue can do when the engine takes no time, on servers as ``gistmill up`` starts them.

Steps per second through claim, finish, barrier and doorbell, one worker process a core, with a thousand and with a
hundred thousand steps waiting, beside a bare Celery task that does nothing on the same broker; the time from a
submission to its first step; two workers against one when a step takes 50 ms; and submitting ten thousand rows of a
table.

Examples:
  make bench-queue
  python -m tests.bench.bench_queue --deep 8000 --rounds 1 --seconds 3 --rows 1000
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from models.partitions import step_id
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.queues import StepMessage
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.bench.queue_cluster import CHUNKS, OPTIONS, Cluster, open_cluster, run_measured, write_body
from tests.chaos.arena import Arena, open_arena
from tests.fake_worker import describe_command

SHALLOW = 1_000
DEEP = 100_000
SLOTS = 16
# A process is one Python interpreter, which can use one core.
PROCESSES = len(os.sched_getaffinity(0))
NULL_WORKER = "tests.fake_worker"
BARE_WORKER = "tests.bench.bare_worker"
BARE_MESSAGES = 12_000
# Steps that a worker runs before it is measured: connections are opened and statements compiled.
WARM_STEPS = 100
# A slot of a worker that takes 50 ms a step runs 20 of them a second: four keep the process far from its own limit.
SLOW_SECONDS, SLOW_SLOTS = 0.05, 4
SUBMISSIONS = 20
PATIENCE_SECONDS = 600
ENDED = "SELECT count(*) FROM steps WHERE state = 'done'"
# As cheap with many waiting as with few, so that who counts takes no time from those who end them.
WAITING = f"SELECT count(*) FROM (SELECT FROM steps WHERE state = 'ready' LIMIT {WARM_STEPS}) AS waiting"
# Of the table of steps with its attempts, indexes included.
STEP_BYTES = "SELECT pg_total_relation_size('steps') + pg_total_relation_size('step_attempts')"
RATE = """
SELECT (count(*) - 1) / extract(epoch FROM max(finished_at) - min(finished_at))
FROM (SELECT finished_at, row_number() OVER (ORDER BY finished_at) AS place FROM steps
      WHERE state = 'done' AND finished_at > to_timestamp(:since)) AS ended
WHERE place > :skipped
"""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What ``gistmill submit`` of a table took."""

    rows_per_second: float
    peak_mb: float


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > until:
            raise SystemExit(f"waited {PATIENCE_SECONDS} s in vain until {what}")
        time.sleep(0.02)


def ring_nothing(cluster: Cluster, count: int) -> None:
    """Send messages that no step belongs to."""
    batch = SubmissionRequest("bare", OPTIONS).batch_id
    step_messages = [StepMessage(step_id(batch, "map", 0, number), "map", "map.default", 3) for number in range(count)]
    app = make_celery(cluster.broker_url)
    CeleryPublisher(app).publish(step_messages)
    app.close()


def measure_bare(cluster: Cluster) -> float:
    """Return tasks per second of a worker whose task does nothing."""
    ring_nothing(cluster, BARE_MESSAGES)
    with ExitStack() as stack:
        for number in range(PROCESSES):
            stack.enter_context(cluster.run_worker(BARE_WORKER, slots=SLOTS // PROCESSES, node=f"bare{number}"))
        first = BARE_MESSAGES * 3 // 4
        wait_until(lambda: cluster.count_messages("map.default") <= first, "all bare workers take messages")
        before, started = cluster.count_messages("map.default"), time.monotonic()
        wait_until(lambda: cluster.count_messages("map.default") <= BARE_MESSAGES // 10, "its queue is nearly empty")
        return (before - cluster.count_messages("map.default")) / (time.monotonic() - started)


def measure_depth(
    cluster: Cluster,
    *,
    seconds: float,
    processes: int = PROCESSES,
    begin: Callable[[], object] = lambda: None,
) -> float:
    """Return steps per second of workers that share all slots, until hardly any wait or that long.

    Args:
        cluster: where they work.
        seconds: that they work at most.
        processes: of workers.
        begin: called when all of them are there.
    """
    with ExitStack() as stack:
        for number in range(processes):
            stack.enter_context(cluster.run_worker(NULL_WORKER, slots=SLOTS // processes, node=f"null{number}"))
        alive = "SELECT count(*) FROM workers WHERE stopped_at IS NULL"
        wait_until(lambda: cluster.read_number(alive) == processes, "the workers are there")
        begin()
        since = cluster.read_number("SELECT extract(epoch FROM clock_timestamp())")
        until = time.monotonic() + seconds
        while time.monotonic() < until and cluster.read_number(WAITING) == WARM_STEPS:
            time.sleep(0.2)
    return cluster.read_number(RATE, since=since, skipped=WARM_STEPS)


def measure_depths(arena: Arena, options: argparse.Namespace) -> tuple[dict[int, list[float]], dict[str, float]]:
    """Return the rates of every round at both depths, one after the other, and what a step takes on disk."""
    rates: dict[int, list[float]] = {SHALLOW: [], options.deep: []}
    with open_cluster(arena, 1) as deep:
        facts = {"messages/s sent": deep.fill(options.deep)}
        empty = deep.read_number(STEP_BYTES)
        facts["steps/s of one process"] = measure_depth(deep, seconds=options.seconds, processes=1)
        for _ in range(options.rounds):
            with open_cluster(arena, 2) as shallow:
                begin = partial(shallow.fill, SHALLOW)
                rates[SHALLOW].append(measure_depth(shallow, seconds=options.seconds, begin=begin))
            rates[options.deep].append(measure_depth(deep, seconds=options.seconds))
        facts["bytes per waiting step"] = empty / deep.read_number("SELECT count(*) FROM steps WHERE kind = 'map'")
        facts["bytes per ended step"] = measure_ended_bytes(deep)
    return rates, facts


def measure_ended_bytes(cluster: Cluster) -> float:
    """Return the bytes that a step takes when it has ended, in tables that hold nothing else."""
    with cluster.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DELETE FROM steps WHERE state <> 'done'")
        connection.exec_driver_sql("VACUUM FULL steps, step_attempts")
    return cluster.read_number(STEP_BYTES) / cluster.read_number(ENDED)


def submit(cluster: Cluster, name: str, texts: list[str]) -> None:
    """Submit documents as ``gistmill submit`` does."""
    app = make_celery(cluster.broker_url)
    sources = [Source(f"{name} {place}", text, "markdown") for place, text in enumerate(texts)]
    outbox_publisher = OutboxPublisher(cluster.engine, CeleryPublisher(app))
    Submission(cluster.engine, outbox_publisher, SubmissionRequest(name, OPTIONS), SubmissionResult()).run(sources)
    app.close()


def measure_latency(arena: Arena) -> tuple[float, float, float]:
    """Return median and longest milliseconds from submit to the first step, and steps per second of whole jobs."""
    waits = []
    with open_cluster(arena, 3) as cluster, cluster.run_worker(NULL_WORKER, slots=SLOTS):
        for number in range(SUBMISSIONS + 1):
            started = cluster.read_number("SELECT extract(epoch FROM clock_timestamp())")
            submit(cluster, f"one {number}", [f"Number {number}. {write_body()}"])
            open_jobs = "SELECT count(*) FROM jobs WHERE state <> 'succeeded'"
            wait_until(lambda: cluster.read_number(open_jobs) == 0, "the job ends")  # noqa: B023 - called at once
            first = cluster.read_number(
                "SELECT extract(epoch FROM min(steps.started_at)) FROM steps JOIN jobs ON jobs.id = job_id"
                " WHERE source = :source",
                source=f"one {number} 0",
            )
            waits.append((first - started) * 1000)
        since = cluster.read_number("SELECT extract(epoch FROM clock_timestamp())")
        submit(cluster, "many", [f"Number {number}. {write_body()}" for number in range(SHALLOW // (CHUNKS + 2))])
        wait_until(lambda: cluster.read_number(open_jobs) == 0, "all jobs end")
        rate = cluster.read_number(RATE, since=since, skipped=0)
    # The first submission waits for the worker to start.
    return median(waits[1:]), max(waits[1:]), rate


def measure_gain(arena: Arena, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Return steps per second of one worker and of two, round by round, when a step takes 50 ms."""
    pairs = []
    for _ in range(options.rounds):
        rates = []
        for nodes in (("a",), ("a", "b")):
            with open_cluster(arena, 4) as cluster, ExitStack() as stack:
                cluster.fill(int(SLOW_SLOTS / SLOW_SECONDS * len(nodes) * options.seconds) + 4 * WARM_STEPS)
                for node in nodes:
                    arguments = (NULL_WORKER, str(SLOW_SECONDS))
                    stack.enter_context(cluster.run_worker(*arguments, slots=SLOW_SLOTS, node=node))
                registered = "SELECT count(*) FROM workers"
                wait_until(lambda: cluster.read_number(registered) == len(nodes), "the workers are there")  # noqa: B023
                since = cluster.read_number("SELECT extract(epoch FROM clock_timestamp())") + 1
                time.sleep(1 + options.seconds)
                rates.append(cluster.read_number(RATE, since=since, skipped=0))
        pairs.append((rates[0], rates[1]))
    return pairs


def measure_submit(arena: Arena, rows: int, folder: Path) -> Submitted:
    """Submit a table of texts of one to four kilobytes with the command that users type."""
    chance = random.Random(0)
    path = folder / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(rows):
            words = chance.choices(WORDS, k=chance.randint(170, 680))
            writer.writerow([f"row{number}", f"Text {number} says: {' '.join(words)}."])
    with open_cluster(arena, 5) as cluster:
        options = ["submit", str(path), "--text-column", "text", "--id-column", "id", "--json"]
        environment = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
        command = describe_command("-m", "gistmill", *options, **environment)
        seconds, peak = run_measured(command, folder / "submit.log")
        stored = cluster.read_number("SELECT count(*) FROM jobs")
        if stored != rows:
            raise SystemExit(f"{stored:.0f} jobs were stored instead of {rows}")
    return Submitted(rows / seconds, peak)


WORDS = ("river", "window", "seven", "garden", "morning", "number", "yellow", "paper", "engine", "quiet", "market")


def describe(values: list[float]) -> str:
    """Return a median with its spread."""
    return f"{median(values):,.0f} | {min(values):,.0f} to {max(values):,.0f}"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", type=int, default=DEEP, help="steps that wait in the deep queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="that a rate is measured over")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the submitted table")
    return parser.parse_args()


def main() -> None:
    """Measure everything, print a table, and one line of JSON at the end."""
    options = parse_arguments()
    with open_arena(is_durable=True) as arena, tempfile.TemporaryDirectory() as folder:
        submitted = measure_submit(arena, options.rows, Path(folder))
        with open_cluster(arena, 6) as cluster:
            bare = [measure_bare(cluster) for _ in range(options.rounds)]
        typical, longest, whole = measure_latency(arena)
        rates, facts = measure_depths(arena, options)
        gains = measure_gain(arena, options)
    shallow, deep = rates.values()
    print(f"| null engine, {SLOTS} slots of {PROCESSES} processes | median | from to |\n|---|---:|---:|")
    print(f"| bare Celery, tasks/s | {describe(bare)} |")
    print(f"| {SHALLOW:,} steps waiting, steps/s | {describe(shallow)} |")
    print(f"| {options.deep:,} steps waiting, steps/s | {describe(deep)} |")
    print(f"| whole jobs with their plans, steps/s | {whole:,.0f} | |")
    print(f"| from submit to the first step, ms | {typical:,.0f} | to {longest:,.0f} |")
    for name, value in facts.items():
        print(f"| {name} | {value:,.0f} | |")
    print(f"| one worker, 50 ms a step, {SLOW_SLOTS} slots, steps/s | {describe([one for one, _ in gains])} |")
    print(f"| two workers, steps/s | {describe([two for _, two in gains])} |")
    print(f"| two workers over one | {median(two / one for one, two in gains):.2f} | |")
    print(f"| submit, {options.rows:,} rows of 1 to 4 KB, rows/s | {submitted.rows_per_second:,.0f} | |")
    print(f"| submit, peak MB | {submitted.peak_mb:,.0f} | |")
    steps_per_s = median([median(shallow), median(deep)])
    summary = {
        "steps_per_s": round(steps_per_s, 1),
        "over_bare_celery": round(steps_per_s / median(bare), 3),
        "flatness": round(median(b / a for a, b in zip(shallow, deep, strict=True)), 3),
        "submit_rows_per_s": round(submitted.rows_per_second, 1),
        "submit_peak_mb": round(submitted.peak_mb, 1),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
