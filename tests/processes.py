"""Starting and stopping real server processes in tests."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def run_server(command: Sequence[str], log: Path, *, user: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a block; SIGINT is Postgres' fast shutdown and Valkey's orderly one."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, user=user, cwd="/", start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
