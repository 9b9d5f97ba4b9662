"""A whole cluster as a user starts it: ``gistmill up`` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.browser import chromium  # noqa: F401 - a fixture
from tests.conftest import wait_until
from tests.processes import PATIENCE
from tests.shared_data import shared_data  # noqa: F401 - a fixture
from tests.tiny_gemma import TINY_SETTINGS

GISTMILL = str(Path(sys.executable).with_name("gistmill"))
# A cold start on a loaded machine: initdb, migration, imports of torch.
UP_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Local:
    """A running ``gistmill up``."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    home: Path

    @property
    def servers(self) -> dict[str, str]:
        """The addresses that it published."""
        servers: dict[str, str] = json.loads((self.home / "servers.json").read_text())
        return servers

    def run(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run one ``gistmill`` command against it."""
        command = [GISTMILL, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the results database."""
        with psycopg.connect(self.servers["database_url"]) as connection:
            return connection.execute(sql).fetchall()


def make_environment(home: Path, weights: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user whose data folder and tiny weights these are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GISTMILL_")}
    return {
        **kept,
        "GISTMILL_HOME": str(home),
        "GISTMILL_WEIGHTS": str(weights),
        "GISTMILL_FLOWER_PORT": "0",
        "GISTMILL_SERVE_PORT": "0",
        "GISTMILL_METRICS_PORT": "0",
        **TINY_SETTINGS,
        **more,
    }


@contextmanager
def bring_up(environment: dict[str, str]) -> Iterator[Local]:
    """Run ``gistmill up`` for the length of a block, and end it as Ctrl-C does."""
    home = Path(environment["GISTMILL_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    log = home / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            # Tiny weights need a fraction of the memory that the check asks for.
            [GISTMILL, "up", "--force"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: "\nready" in log.read_text() or process.poll() is not None, "the cluster is up", seconds=UP_SECONDS
        )
        assert process.poll() is None, log.read_text()
        yield Local(process, environment, home)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Iterator[Local]:
    """A cluster with a tiny random Gemma, for the whole run."""
    with bring_up(make_environment(tmp_path_factory.mktemp("local"), tiny_weights)) as running:
        yield running
