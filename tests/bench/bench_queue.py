"""What the queue can do when the engine takes no time, on servers as ``gistmill up`` starts them.

Steps per second through claim, finish, barrier and messages, one worker process a core, with a thousand and with a
hundred thousand steps waiting, beside a bare Celery task that does nothing on the same broker, both with the processor
time of one step; the same with the sentences of summaries verified, as by default; the time from a submission to its
first step, alone and at half load; two workers against one when a step takes 50 ms; and submitting ten thousand rows of
a table.

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
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from models.partitions import step_id
from models.publisher import open_publisher
from models.queues import StepMessage
from producer.intake import SubmissionRequest
from tests.bench.processor_time import ProcessorMilliseconds, ProcessorTime, read_processor_time
from tests.bench.queue_cluster import OPTIONS, VERIFIED, Cluster, open_cluster, run_measured, wait_until
from tests.bench.queue_latency import measure_latency
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
# Seconds since 1970.
FOR_EVER = 1e11
NOW = "SELECT extract(epoch FROM clock_timestamp())"
ENDED = "SELECT count(*) FROM steps WHERE state = 'done'"
ENDED_WITHIN = f"{ENDED} AND finished_at BETWEEN to_timestamp(:since) AND to_timestamp(:until)"
# As cheap with many waiting as with few, so that who counts takes no time from those who end them.
WAITING = f"SELECT count(*) FROM (SELECT FROM steps WHERE state = 'ready' LIMIT {WARM_STEPS}) AS waiting"
# Of all partitions of the steps and of their attempts, indexes included.
STEP_BYTES = """
SELECT sum(pg_total_relation_size(part.relid))
FROM (VALUES ('steps'), ('step_attempts')) AS parent (name), pg_partition_tree(parent.name::regclass) AS part
"""
RATE = """
SELECT (count(*) - 1) / extract(epoch FROM max(finished_at) - min(finished_at))
FROM (SELECT finished_at, row_number() OVER (ORDER BY finished_at) AS place FROM steps
      WHERE state = 'done' AND finished_at > to_timestamp(:since)) AS ended
WHERE place > :skipped
"""


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps or tasks per second, and the processor time of one."""

    rate: float
    processor: ProcessorMilliseconds


@dataclass(frozen=True, slots=True)
class Submitted:
    """What ``gistmill submit`` of a table took."""

    rows_per_second: float
    peak_mb: float


def publish_nothing(cluster: Cluster, count: int) -> None:
    """Publish messages that no step belongs to."""
    batch = SubmissionRequest("bare", OPTIONS).batch_id
    step_messages = [StepMessage(step_id(batch, "map", 0, number), "map", "map.default", 3) for number in range(count)]
    with open_publisher(cluster.broker_url) as publisher:
        publisher.publish(step_messages)


def run_workers(stack: ExitStack, cluster: Cluster, module: str, processes: int) -> Callable[[], ProcessorTime]:
    """Run workers that share all slots, and return how to read the processor time so far."""
    pids = [
        stack.enter_context(cluster.run_worker(module, slots=SLOTS // processes, node=f"{number}"))
        for number in range(processes)
    ]
    return lambda: read_processor_time(workers=pids, servers=cluster.servers)


def measure_bare(cluster: Cluster) -> Speed:
    """Return the speed of workers whose task does nothing."""
    publish_nothing(cluster, BARE_MESSAGES)
    with ExitStack() as stack:
        read_time = run_workers(stack, cluster, BARE_WORKER, PROCESSES)
        first = BARE_MESSAGES * 3 // 4
        wait_until(lambda: cluster.count_messages("map.default") <= first, "all bare workers take messages")
        before, started, time_before = cluster.count_messages("map.default"), time.monotonic(), read_time()
        wait_until(lambda: cluster.count_messages("map.default") <= BARE_MESSAGES // 10, "its queue is nearly empty")
        taken = before - cluster.count_messages("map.default")
        return Speed(taken / (time.monotonic() - started), read_time().per_unit(time_before, taken))


def measure_depth(
    cluster: Cluster,
    *,
    seconds: float,
    processes: int = PROCESSES,
    begin: Callable[[], object] = lambda: None,
) -> Speed:
    """Return the speed of workers that share all slots, until hardly any step waits or that long.

    Args:
        cluster: where they work.
        seconds: that they work at most.
        processes: of workers.
        begin: called when all of them are there.
    """
    with ExitStack() as stack:
        read_time = run_workers(stack, cluster, NULL_WORKER, processes)
        alive = "SELECT count(*) FROM workers WHERE stopped_at IS NULL"
        wait_until(lambda: cluster.read_number(alive) == processes, "the workers are there")
        begin()
        since = cluster.read_number(NOW)
        until = time.monotonic() + seconds
        wait_until(
            lambda: cluster.read_number(ENDED_WITHIN, since=since, until=FOR_EVER) >= WARM_STEPS,
            "the first steps have ended",
        )
        begun, time_before = cluster.read_number(NOW), read_time()
        while time.monotonic() < until and cluster.read_number(WAITING) == WARM_STEPS:
            time.sleep(0.2)
        ended, time_after = cluster.read_number(NOW), read_time()
    steps = cluster.read_number(ENDED_WITHIN, since=begun, until=ended)
    return Speed(cluster.read_number(RATE, since=since, skipped=WARM_STEPS), time_after.per_unit(time_before, steps))


def measure_verified(arena: Arena, options: argparse.Namespace) -> Speed:
    """Return the speed of workers that verify the sentences of summaries too."""
    with open_cluster(arena, 7) as cluster:
        return measure_depth(cluster, seconds=options.seconds, begin=partial(cluster.fill, SHALLOW, VERIFIED))


def measure_depths(arena: Arena, options: argparse.Namespace) -> tuple[dict[int, list[Speed]], dict[str, float]]:
    """Return the speeds of every round at both depths, one after the other, and what a step takes on disk."""
    speeds: dict[int, list[Speed]] = {SHALLOW: [], options.deep: []}
    with open_cluster(arena, 1) as deep:
        facts = {"messages/s sent": deep.fill(options.deep)}
        empty = deep.read_number(STEP_BYTES)
        facts["steps/s of one process"] = measure_depth(deep, seconds=options.seconds, processes=1).rate
        for _ in range(options.rounds):
            with open_cluster(arena, 2) as shallow:
                begin = partial(shallow.fill, SHALLOW)
                speeds[SHALLOW].append(measure_depth(shallow, seconds=options.seconds, begin=begin))
            speeds[options.deep].append(measure_depth(deep, seconds=options.seconds))
        facts["bytes per waiting step"] = empty / deep.read_number("SELECT count(*) FROM steps WHERE kind = 'map'")
        facts["bytes per ended step"] = measure_ended_bytes(deep)
    return speeds, facts


def measure_ended_bytes(cluster: Cluster) -> float:
    """Return the bytes that a step takes when it has ended, in tables that hold nothing else."""
    with cluster.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DELETE FROM steps WHERE state <> 'done'")
        connection.exec_driver_sql("VACUUM FULL steps, step_attempts")
    return cluster.read_number(STEP_BYTES) / cluster.read_number(ENDED)


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


def describe(values: list[float], digits: int = 0) -> str:
    """Return a median with its spread."""
    return f"{median(values):,.{digits}f} | {min(values):,.{digits}f} to {max(values):,.{digits}f}"


def describe_speeds(name: str, unit: str, speeds: list[Speed]) -> Iterator[str]:
    """Yield the rows of a table."""
    yield f"| {name}, {unit}s/s | {describe([speed.rate for speed in speeds])} |"
    workers, servers = ([getattr(speed.processor, part) for speed in speeds] for part in ("worker", "servers"))
    yield f"| ... processor ms of the worker per {unit} | {describe(workers, 2)} |"
    yield f"| ... processor ms of Postgres and Valkey per {unit} | {describe(servers, 2)} |"


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
        with open_cluster(arena, 3) as cluster, ExitStack() as stack:
            run_workers(stack, cluster, NULL_WORKER, PROCESSES)
            latency = measure_latency(cluster)
        speeds, facts = measure_depths(arena, options)
        verified = [measure_verified(arena, options) for _ in range(options.rounds)]
        gains = measure_gain(arena, options)
    shallow, deep = speeds.values()
    print(f"| null engine, {SLOTS} slots of {PROCESSES} processes | median | from to |\n|---|---:|---:|")
    print(*describe_speeds("bare Celery", "task", bare), sep="\n")
    print(*describe_speeds(f"{SHALLOW:,} steps waiting", "step", shallow), sep="\n")
    print(*describe_speeds(f"{options.deep:,} steps waiting", "step", deep), sep="\n")
    print(*describe_speeds(f"{SHALLOW:,} steps waiting, sentences verified", "step", verified), sep="\n")
    print(*latency.describe(), sep="\n")
    for name, value in facts.items():
        print(f"| {name} | {value:,.0f} | |")
    print(f"| one worker, 50 ms a step, {SLOW_SLOTS} slots, steps/s | {describe([one for one, _ in gains])} |")
    print(f"| two workers, steps/s | {describe([two for _, two in gains])} |")
    print(f"| two workers over one | {median(two / one for one, two in gains):.2f} | |")
    print(f"| submit, {options.rows:,} rows of 1 to 4 KB, rows/s | {submitted.rows_per_second:,.0f} | |")
    print(f"| submit, peak MB | {submitted.peak_mb:,.0f} | |")
    print(json.dumps(summarize(bare, shallow, deep, submitted) | {"p99_ms_at_half_load": round(latency.p99, 1)}))


def summarize(bare: list[Speed], shallow: list[Speed], deep: list[Speed], submitted: Submitted) -> dict[str, float]:
    """Return the line of JSON."""
    steps_per_s = median(median(speed.rate for speed in speeds) for speeds in (shallow, deep))
    bare_ms, step_ms = (median(speed.processor.total for speed in speeds) for speeds in (bare, [*shallow, *deep]))
    return {
        "steps_per_s": round(steps_per_s, 1),
        "over_bare_celery": round(steps_per_s / median(speed.rate for speed in bare), 3),
        "processor_ms_per_step": round(step_ms, 2),
        "processor_over_bare_celery": round(bare_ms / step_ms, 3),
        "flatness": round(median(b.rate / a.rate for a, b in zip(shallow, deep, strict=True)), 3),
        "submit_rows_per_s": round(submitted.rows_per_second, 1),
        "submit_peak_mb": round(submitted.peak_mb, 1),
    }


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
