"""Nine stresses of the public comparison of job queues on Postgres, on our workers: five of chaos, four of pressure.

Two workers whose engine takes a millisecond, on a Postgres that waits for its disk and with the settings of production.
Jobs of two steps are submitted at half of the rate at which they can be done, before, during and after each stress.
Recovered is a cell after which that rate comes back (nine tenths of it, as published) and every job has its one result.

Examples:
  make bench-faults
  python -m tests.bench.bench_faults --seconds 5 --cell pg_backend_kill --cell idle_in_tx
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from models.settings import Settings
from tests.chaos.arena import Arena, open_arena
from tests.chaos.scene import QUICK, Scene
from tests.chaos.steady_load import StressResult, measure_capacity, run_cell
from tests.chaos.stresses import CELLS, Cell

WORKERS, SLOTS = 2, 8
GENERATION_SECONDS = 0.001
# Jobs that tell the capacity.
SAMPLE_JOBS = 200
# Part of the capacity that is submitted, so that a burst of 2.25 times as much is more than can be done.
LOAD = 0.5
# Seconds for the last job to end after a cell.
PATIENCE_SECONDS = 600
# Those of the settings that tests shorten.
PRODUCTION = {
    name: Settings.model_fields[name].default for name in QUICK if name.endswith("_seconds") and name != "drain_seconds"
}
# hardbyte/postgresql-job-queue-benchmarking, 2026-05-09, 4 CPUs: jobs/s after a chaos cell over those before it, and
# in a pressure cell over those before it, of the job queues awa, river, oban, pg-boss, absurd and procrastinate.
# None: it ended, or had to be killed.
PEERS = ("awa", "river", "oban", "pg-boss", "absurd", "procrastinate")
PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "postgres_restart": (1.00, 1.01, 0.00, None, 0.00, 0.00),
    "pg_backend_kill": (1.00, 1.01, 1.00, None, 0.00, 0.00),
    "pool_exhaustion": (1.00, 1.00, 0.86, 0.96, 0.87, 0.99),
    "crash_recovery": (0.98, 1.21, 0.98, 1.17, 1.03, 0.73),
    "repeated_kills": (0.99, 1.09, 0.88, 0.99, 1.12, 0.18),
    "idle_in_tx": (0.75, None, 0.96, None, None, None),
    "sustained_high_load": (0.73, 1.40, 1.02, 1.36, 0.71, 0.94),
    "active_readers": (0.71, 1.00, 0.98, 1.01, 0.74, 0.63),
    "event_burst": (0.80, None, 1.00, None, None, None),
}


def main() -> int:
    """Run the cells and print a table, and one line of JSON at the end."""
    options = parse_arguments()
    results: dict[str, StressResult] = {}
    print(f"load averages at the start: {describe_load()}", flush=True)
    with open_arena(is_durable=True) as arena:
        rate = options.rate or LOAD * measure_rate(arena)
        print(
            f"{rate:.1f} jobs/s are submitted; {options.seconds:.0f} s before, {2 * options.seconds:.0f} s in a stress"
        )
        print_head()
        for cell in CELLS:
            if not options.cells or cell.name in options.cells:
                results[cell.name] = measure_cell(arena, cell, rate=rate, seconds=options.seconds)
                print_row(cell, results[cell.name])
    print(f"load averages at the end: {describe_load()}")
    print(json.dumps(summarize(results)))
    return int(not all(result.is_recovered for result in results.values()))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=15, help="before a stress and after it; it lasts twice as long"
    )
    parser.add_argument("--rate", type=float, help="jobs per second; by default half of what the workers can do")
    parser.add_argument("--cell", dest="cells", action="append", choices=[cell.name for cell in CELLS])
    return parser.parse_args()


def describe_load() -> str:
    """Return the load averages of the machine."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def measure_rate(arena: Arena) -> float:
    """Return jobs per second of the workers when all jobs wait."""
    with tempfile.TemporaryDirectory() as folder:
        scene = open_scene(arena, Path(folder))
        try:
            return measure_capacity(scene, SAMPLE_JOBS, warm=WORKERS * SLOTS)
        finally:
            scene.close()


def open_scene(arena: Arena, folder: Path) -> Scene:
    """Return a scene with workers that are started again when they end."""
    scene = Scene(arena, folder)
    for _ in range(WORKERS):
        scene.add_worker(
            seconds=(GENERATION_SECONDS, GENERATION_SECONDS), slots=SLOTS, log_level="warning", **PRODUCTION
        )
    return scene


def measure_cell(arena: Arena, cell: Cell, *, rate: float, seconds: float) -> StressResult:
    """Run one cell on fresh workers and an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        scene = open_scene(arena, Path(folder))
        try:
            return run_cell(scene, cell, rate=rate, seconds=seconds, patience=PATIENCE_SECONDS)
        finally:
            scene.close()


def print_head() -> None:
    """Print the columns."""
    print(
        "| cell | recovered | jobs | lost | doubled | jobs/s before | during | after | s until the rate is back |",
        end="",
    )
    print(
        f" s until all jobs of the stress have ended | dead rows | ours over before | published: {', '.join(PEERS)} |"
    )
    print("|---|---|" + "---:|" * 10 + "---|")


def print_row(cell: Cell, result: StressResult) -> None:
    """Print the figures of a cell."""
    back = "never" if result.recovered_after is None else f"{result.recovered_after:.0f}"
    shown = result.during if cell.is_pressure else result.after
    published = ", ".join("-" if share is None else f"{share:.0%}" for share in PUBLISHED[cell.name])
    cells = [
        cell.name,
        "yes" if result.is_recovered else "no",
        f"{result.accepted:,}",
        str(result.lost),
        str(result.findings.doubled),
        *(f"{rate:.1f}" for rate in (result.before, result.during, result.after)),
        back,
        f"{result.last_ended_after:.1f}",
        f"{result.dead_rows:,}" if cell.is_pressure else "",
        f"{shown / result.before:.0%}" if result.before else "-",
        published,
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def summarize(results: dict[str, StressResult]) -> dict[str, object]:
    """Return what a reader wants to know first."""
    recovered = [cell for cell in CELLS if cell.name in results and results[cell.name].is_recovered]
    pressure = sum(cell.is_pressure for cell in recovered)
    return {
        "chaos_recovered": len(recovered) - pressure,
        "pressure_recovered": pressure,
        "cells": len(results),
        "lost": sum(result.lost for result in results.values()),
        "doubled": sum(result.findings.doubled for result in results.values()),
        "slowest_recovery_s": max((result.recovered_after or 0.0 for result in results.values()), default=0.0),
    }


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
