"""Measures the HTTP server under many clients at once: ``python -m tests.bench.bench_serve``.

The server is a process of its own on servers of its own, without a worker. Each client is a loop that reads a batch's
state, a page of its summaries and one job, and submits a text now and then. Clients and server share the cores of the
machine. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from migrations.run import upgrade
from models.session import open_database
from tests.conftest import answers, wait_until
from tests.fake_worker import describe_command
from tests.processes import run_server
from workers.local.home import Home, free_ports, open_home

TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday. "
# Jobs of the batch that is read.
JOBS = 500
# One request in so many submits.
SUBMIT_EVERY = 20


@dataclass(slots=True)
class Measurement:
    """Times of the requests by their kind, and the errors."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: int = 0

    def add(self, kind: str, seconds: float, *, is_success: bool) -> None:
        """Add a request."""
        self.seconds.setdefault(kind, []).append(seconds)
        self.errors += not is_success


def main() -> int:
    """Measure by the command line's numbers and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gistmill-bench-") as folder, ExitStack() as stack:
        home = start_servers(Path(folder), stack)
        [port] = free_ports(1)
        settings = {"database_url": home.postgres.url, "broker_url": home.valkey.url, "home": folder}
        command = describe_command("-m", "gistmill", "serve", "--port", str(port), **settings)
        process = psutil.Process(stack.enter_context(run_server(command, Path(folder) / "serve.log")).pid)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_up(url), "the server answers")
        batch_id, jobs = submit_jobs(url)
        before = process.memory_info().rss
        measured, peak = asyncio.run(run_clients(url, batch_id, jobs, given.clients, given.seconds, process))
    print_figures(measured, given.clients, given.seconds, before, peak)
    return 0


def start_servers(folder: Path, stack: ExitStack) -> Home:
    """Start Postgres and Valkey for the length of the stack."""
    os.chmod(folder, 0o755)  # noqa: PTH101 - Postgres runs under another account
    home = open_home(folder)
    home.postgres.initialize()
    home.valkey.initialize()
    stack.enter_context(run_server(home.postgres.command, home.logs / "postgres.log", user=home.postgres.system_user))
    stack.enter_context(run_server(home.valkey.command, home.logs / "valkey.log"))
    wait_until(lambda: answers(home), "the servers answer")
    with open_database(home.postgres.url.replace("postgresql://", "postgresql+psycopg://")) as engine:
        upgrade(engine)
    return home


def is_up(url: str) -> bool:
    """Tell whether the server answers."""
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.HTTPError:
        return False


def submit_jobs(url: str) -> tuple[str, list[str]]:
    """Submit the batch that is read, and return its id and those of its first jobs."""
    documents = [{"text": f"{TEXT} It is about {number}.", "name": f"text {number}"} for number in range(JOBS)]
    answer = httpx.post(f"{url}/api/batches", json={"name": "pile", "documents": documents}, timeout=None)
    batch_id = answer.raise_for_status().json()["id"]
    page = httpx.get(f"{url}/api/batches/{batch_id}/summaries?limit=100", timeout=None).json()["data"]
    return batch_id, [row["job"]["job_id"] for row in page]


async def run_clients(
    url: str, batch_id: str, jobs: list[str], clients: int, seconds: float, process: psutil.Process
) -> tuple[Measurement, int]:
    """Run all clients for some seconds, and return their times and the largest memory of the server."""
    measured, until = Measurement(), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=None) as client, asyncio.TaskGroup() as group:
        watching = group.create_task(watch_memory(process, until))
        for number in range(clients):
            group.create_task(run_client(client, number, batch_id, jobs, measured, until))
    return measured, watching.result()


async def run_client(
    client: httpx.AsyncClient, number: int, batch_id: str, jobs: list[str], measured: Measurement, until: float
) -> None:
    """Send requests one after the other."""
    paths = {
        "state of a batch": f"/api/batches/{batch_id}",
        "page of 20 summaries": f"/api/batches/{batch_id}/summaries?limit=20",
        "one job": f"/api/jobs/{jobs[number % len(jobs)]}",
    }
    turn = number
    while time.monotonic() < until:
        turn += 1
        kind = list(paths)[turn % len(paths)]
        started = time.monotonic()
        if turn % SUBMIT_EVERY:
            sending = client.get(paths[kind])
        else:
            kind = "submission of a text"
            body = {"name": f"client {number}", "documents": [{"text": f"{TEXT} {number} {turn}"}]}
            sending = client.post("/api/batches", json=body)
        try:
            is_success = (await sending).is_success
        except httpx.TransportError:
            is_success = False
        measured.add(kind, time.monotonic() - started, is_success=is_success)


async def watch_memory(process: psutil.Process, until: float) -> int:
    """Return the largest resident memory of a process until a time, in bytes."""
    peak = 0
    while time.monotonic() < until:
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(0.5)
    return peak


def print_figures(measured: Measurement, clients: int, seconds: float, before: int, peak: int) -> None:
    """Print the table and the line of JSON."""
    show = Table("request", "number", "median ms", "p99 ms")
    everything = [value for values in measured.seconds.values() for value in values]
    for kind, values in (*measured.seconds.items(), ("all", everything)):
        show.add_row(kind, f"{len(values):,}", f"{median(values) * 1000:.0f}", f"{find_p99(values) * 1000:.0f}")
    Console().print(show)
    figures = {
        "clients": clients,
        "requests_per_second": round(len(everything) / seconds, 1),
        "median_ms": round(median(everything) * 1000),
        "p99_ms": round(find_p99(everything) * 1000),
        "errors": measured.errors,
        "memory_mb": round(before / 1e6),
        "peak_mb": round(peak / 1e6),
    }
    print(json.dumps(figures))


def find_p99(values: list[float]) -> float:
    """Return the value that a hundredth of the values exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


if __name__ == "__main__":
    main()
