"""Starting and stopping real server processes in tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Seconds that a test waits for what takes a moment, before it fails: a loaded machine may need a hundred moments.
PATIENCE = 240


@contextmanager
def run_server(
    command: Sequence[str], log: Path, *, user: str | None = None, end_by: signal.Signals = signal.SIGINT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a block; SIGINT is Postgres' fast shutdown and Valkey's orderly one."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, user=user, cwd="/", start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(end_by)
        process.wait(timeout=PATIENCE)


@contextmanager
def make_open_folder(*, is_large: bool = False) -> Iterator[Path]:
    """Make a folder for servers that run under another account, and take it away at the end of the block.

    Not below pytest's folder: every pytest that starts closes that to other accounts.

    Args:
        is_large: whether nobody waits for its removal, which another process goes on with.
    """
    folder = Path(tempfile.mkdtemp(prefix="gistmill-tests-"))
    try:
        yield folder
    finally:
        if is_large:
            os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", str(folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
