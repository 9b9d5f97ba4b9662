"""Simulates the cluster: checks the simulation against a small measured run, then predicts 1 to 128 GPUs.

The constants of the control plane are measured here, with an engine that takes no time: what a step costs in the
worker's process, and what it costs in Postgres and Valkey. What a step costs on a GPU is given.

Examples:
  make bench-scaling
  python -m tests.bench.bench_scaling --slots 64 --step-seconds 4 --plot docs/scaling.svg
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from tests.bench.bench_queue import NULL_WORKER, SLOTS
from tests.bench.queue_cluster import CHUNKS, open_cluster, wait_until
from tests.bench.queue_latency import Submitter, open_submitter
from tests.bench.scheduler import Costs, Forecast, forecast
from tests.chaos.arena import Arena, open_arena

# The measured run: long enough that starting up does not matter, short enough for a test.
JOBS = 40
STEP_SECONDS, STEP_SLOTS = 0.2, 4
GPUS = (1, 2, 4, 8, 16, 32, 64, 128)
# Steps of every slot in a forecast: enough that filling and draining the cluster do not matter.
STEPS_PER_SLOT = 10
SPAN = "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM steps"
STEPS = "SELECT count(*) FROM steps"


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of real workers."""

    seconds: float
    steps: int
    server_seconds: float


def count_server_seconds(arena: Arena) -> float:
    """Return the processor seconds that Postgres and Valkey have taken so far, of processes that still live."""
    servers = [arena.postgres.pid, arena.valkey.pid]
    processes = [each for pid in servers for each in (psutil.Process(pid), *psutil.Process(pid).children())]
    return sum(times.user + times.system for times in (each.cpu_times() for each in processes))


def run_jobs(arena: Arena, *, jobs: int, workers: int, slots: int, seconds: float) -> Measured:
    """Let workers with an engine that takes so long work off jobs that are all there at the start."""
    with open_cluster(arena, 7) as cluster, ExitStack() as stack:
        for number in range(workers):
            stack.enter_context(cluster.run_worker(NULL_WORKER, str(seconds), slots=slots, node=f"w{number}"))
        wait_until(lambda: cluster.read_number("SELECT count(*) FROM workers") == workers, "the workers are there")
        submitter = stack.enter_context(open_submitter(cluster))
        warm_up(submitter, workers * slots)
        before, cpu = cluster.read_number(STEPS), count_server_seconds(arena)
        with cluster.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE steps SET started_at = NULL, finished_at = NULL")
        submitter.submit("run", jobs)
        submitter.wait()
        server_seconds = count_server_seconds(arena) - cpu
        return Measured(cluster.read_number(SPAN), int(cluster.read_number(STEPS) - before), server_seconds)


def warm_up(submitter: Submitter, jobs: int) -> None:
    """Let every slot open its connection and compile its statements."""
    submitter.submit("warm", jobs)
    submitter.wait()
    time.sleep(1)


def measure_costs(arena: Arena, rounds: int) -> Costs:
    """Measure what a step costs besides the engine."""
    runs = [run_jobs(arena, jobs=JOBS * 2, workers=1, slots=SLOTS, seconds=0) for _ in range(rounds)]
    return Costs(
        step=0,
        plan=0,
        overhead=median(run.seconds / run.steps for run in runs),
        database=median(run.server_seconds / run.steps for run in runs),
    )


def compare(arena: Arena, costs: Costs) -> dict[int, tuple[float, float]]:
    """Return measured and simulated seconds of the small run, with one worker and with two."""
    pairs = {}
    for workers in (1, 2):
        measured = run_jobs(arena, jobs=JOBS, workers=workers, slots=STEP_SLOTS, seconds=STEP_SECONDS)
        simulated = forecast(
            [CHUNKS] * JOBS, workers=workers, slots=STEP_SLOTS, costs=replace_step(costs, STEP_SECONDS)
        )
        pairs[workers] = (measured.seconds, simulated.seconds)
    return pairs


def replace_step(costs: Costs, step: float, *, spread: float = 0.0, database_cores: int = 1) -> Costs:
    """Return the costs with another engine, on a database of so many cores."""
    return Costs(step, costs.plan, costs.overhead, costs.database, database_cores, spread)


def predict(costs: Costs, given: argparse.Namespace) -> dict[int, Forecast]:
    """Simulate clusters of 1 to 128 GPUs."""
    gpu = replace_step(costs, given.step_seconds, spread=0.3, database_cores=given.database_cores)
    forecasts = {}
    for workers in GPUS:
        jobs = max(workers * given.slots * STEPS_PER_SLOT // (CHUNKS + 2), 1)
        forecasts[workers] = forecast([CHUNKS] * jobs, workers=workers, slots=given.slots, costs=gpu)
    return forecasts


def draw(forecasts: dict[int, Forecast], path: Path) -> None:
    """Plot steps per second and the database's load over the number of GPUs."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "gistmill"
    from matplotlib import pyplot as plt

    figure, (speed, load) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    gpus = list(forecasts)
    one = forecasts[gpus[0]].steps_per_second
    speed.loglog(gpus, [one * count for count in gpus], "--", color="0.6", label="each as fast as one alone")
    speed.loglog(gpus, [each.steps_per_second for each in forecasts.values()], "o-", label="simulated")
    speed.set(xlabel="GPUs", ylabel="steps/s", xticks=gpus, xticklabels=gpus)
    speed.legend(frameon=False)
    load.semilogx(gpus, [100 * each.database_busy for each in forecasts.values()], "o-")
    load.set(xlabel="GPUs", ylabel="Postgres and broker busy, %", xticks=gpus, xticklabels=gpus, ylim=(0, 105))
    for axes in (speed, load):
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step-seconds", type=float, default=4.0, help="of a step on a GPU whose slots are full")
    parser.add_argument("--slots", type=int, default=64, help="of every GPU")
    parser.add_argument("--database-cores", type=int, default=8, help="of Postgres and the broker")
    parser.add_argument("--plot", type=Path, help="where to draw the forecast")
    return parser.parse_args()


def main() -> None:
    """Measure, compare, predict, and print one line of JSON at the end."""
    given = parse_arguments()
    with open_arena(is_durable=True) as arena:
        costs = measure_costs(arena, given.rounds)
        pairs = compare(arena, costs)
    print(f"a step costs {costs.overhead * 1000:.2f} ms of its worker's process and {costs.database * 1000:.2f} ms of")
    print(f"Postgres and Valkey\n\n| {JOBS} jobs, {STEP_SECONDS} s a step | measured, s | simulated, s | ratio |")
    print("|---|---:|---:|---:|")
    for workers, (measured, simulated) in pairs.items():
        print(f"| {workers} worker(s) | {measured:.2f} | {simulated:.2f} | {simulated / measured:.3f} |")
    forecasts = predict(costs, given)
    print(f"\n| GPUs of {given.slots} slots, {given.step_seconds} s a step | steps/s | engines busy | servers busy |")
    print("|---:|---:|---:|---:|")
    for gpus, each in forecasts.items():
        print(f"| {gpus} | {each.steps_per_second:,.0f} | {each.busy:.0%} | {each.database_busy:.0%} |")
    if given.plot:
        draw(forecasts, given.plot)
    ratios = {f"simulated_over_measured_{workers}": round(s / m, 3) for workers, (m, s) in pairs.items()}
    print(
        json.dumps(
            ratios | {"overhead_ms": round(costs.overhead * 1000, 3), "server_ms": round(costs.database * 1000, 3)}
        )
    )


if __name__ == "__main__":
    main()
