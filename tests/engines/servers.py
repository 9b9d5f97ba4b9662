"""Start of a real server for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import wait_until
from tests.processes import run_server

# A server imports torch, compiles and reads weights.
START_SECONDS = 900


@contextmanager
def serve(command: Sequence[str], root: str, log: Path, *, path: str = "/health") -> Iterator[None]:
    """Run a server, and wait until it answers at a path."""
    with run_server(command, log) as process:
        wait_until(
            lambda: is_up(root + path) or process.poll() is not None, "the server answers", seconds=START_SECONDS
        )
        assert process.poll() is None, log.read_text()[-4000:]
        yield


def is_up(url: str) -> bool:
    """Return whether a server answers."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
