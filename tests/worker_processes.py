"""Real worker processes whose engine is a server, as tests start them, and the jobs that they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import Cluster
from tests.fake_vllm import ROOT
from tests.integration.conftest import Gistmill
from tests.processes import PATIENCE

TEXT = "The river rose by {} metres in two days, and the council closed both bridges. Engineers measured the piers. "


def make_environment(cluster: Cluster, weights: Path, home: Path) -> dict[str, str]:
    """Return the environment of a worker without a verifier."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GISTMILL_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "GISTMILL_DATABASE_URL": cluster.database_url,
        "GISTMILL_BROKER_URL": cluster.broker_url,
        "GISTMILL_HOME": str(home),
        "GISTMILL_WEIGHTS": str(weights),
        "GISTMILL_VERIFIER": "none",
        "GISTMILL_METRICS_PORT": "0",
        "GISTMILL_SLOTS": "4",
        "GISTMILL_RESCUE_SECONDS": "1",
        "GISTMILL_REDISPATCH_SECONDS": "2",
        "CUDA_VISIBLE_DEVICES": "",
    }


@contextmanager
def run(arguments: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of this Python for the length of a block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment, cwd=log.parent, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)


def query(cluster: Cluster, sql: str) -> list[tuple[Any, ...]]:
    """Ask the results database."""
    with psycopg.connect(cluster.database_url.replace("+psycopg", "")) as connection:
        return connection.execute(sql).fetchall()


def have_ended(cluster: Cluster) -> bool:
    """Return whether every job is final."""
    return query(cluster, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == [(0,)]


def submit(
    gistmill: Gistmill, folder: Path, numbers: Sequence[int], *, weights: str = "default", new_tokens: int = 16
) -> None:
    """Submit documents that each take one generation."""
    paths = []
    for number in numbers:
        path = folder / f"note{number}.txt"
        path.write_text(TEXT.format(number) * 6)
        paths.append(str(path))
    options = (
        "--strategy",
        "stuff",
        "--max-new-tokens",
        str(new_tokens),
        "--greedy",
        "--no-cache",
        "--weights",
        weights,
    )
    done = gistmill("submit", *paths, *options)
    assert done.code == 0, done.err
