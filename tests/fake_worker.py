"""A real worker process whose engine needs no weights: ``python -m tests.fake_worker [SECONDS_PER_STEP]``."""

from __future__ import annotations

import sys
from pathlib import Path

from models.settings import Settings, read_settings
from tests.fake_engine import FakeGenerator
from workers.broker.app import default_node, make_app, run_worker
from workers.logs import configure_logs
from workers.service import Served

ROOT = Path(__file__).resolve().parents[1]


def describe_command(*arguments: str, **environment: str) -> list[str]:
    """Return the command line of such a process with settings of its own, wherever it is started."""
    settings = [f"GISTMILL_{name.upper()}={value}" for name, value in environment.items()]
    return ["env", f"--chdir={ROOT}", "GISTMILL_METRICS_PORT=0", *settings, sys.executable, *arguments]


def load_fake(settings: Settings) -> Served:
    """Return an engine that takes as long for a step as the command line says."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    generator = FakeGenerator(seconds=lambda: seconds)
    return Served(generator, device="cpu", seconds_since_progress=lambda: 0.0, close=lambda: None)


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings()
    configure_logs(settings)
    run_worker(make_app(settings, load_fake), node=default_node())


if __name__ == "__main__":
    main()
