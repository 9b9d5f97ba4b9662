"""A server as the child of a launcher: ready, hung, ended, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.fake_vllm import ROOT, have_processes_ended, write_fake_vllm
from workers.local.home import free_ports
from workers.local.server_process import read_progress
from workers.started_server import StartedServer

# Runs a server of the fake, and prints how it ended.
LAUNCHER = """
import sys
from pathlib import Path
from workers.local.server_process import ServerProcess
from workers.started_server import StartedServer
program, file, port, seconds = sys.argv[1:]
command = [program, "-m", "vllm.entrypoints.openai.api_server", "--served-model-name", "a", "--host", "h"]
command += ["--port", port]
server = ServerProcess(
    command, StartedServer(Path(file)), environment={"VLLM_API_KEY": "key"}, address=f"http://127.0.0.1:{port}",
    hang_seconds=float(seconds),
)
print(server.run(), server.is_stopping, server.was_ready)
"""


class Launcher:
    """A launcher in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = StartedServer(folder / "server.json")
        self._fake = write_fake_vllm(folder)

    def start(self, *, hang_seconds: float = 60) -> subprocess.Popen[str]:
        """Start it."""
        (port,) = free_ports(1)
        arguments = [str(self._fake), str(self.started.path), str(port), str(hang_seconds)]
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def wait_until_ready(self) -> list[int]:
        """Wait until the server answers; return the ids of its processes."""
        wait_until(lambda: "is_ready" in self.started.read(), "the server is ready")
        return [int(pid) for pid in (self.folder / "pids").read_text().split()]


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    """A launcher in an empty folder."""
    return Launcher(tmp_path)


def test_a_signal_ends_the_server_and_its_children(launcher: Launcher) -> None:
    process = launcher.start()
    pids = launcher.wait_until_ready()
    process.terminate()
    output, _ = process.communicate()
    assert output.splitlines()[-1] == "0 True True"
    wait_until(lambda: have_processes_ended(pids), "all have ended")


def test_a_server_that_dies_takes_its_children_with_it(launcher: Launcher) -> None:
    process = launcher.start()
    pids = launcher.wait_until_ready()
    os.kill(pids[0], signal.SIGKILL)
    output, _ = process.communicate()
    assert output.splitlines()[-1] == "-9 False True"
    wait_until(lambda: have_processes_ended(pids), "all have ended")


def test_a_killed_launcher_leaves_no_server_and_the_next_one_ends_its_children(launcher: Launcher) -> None:
    process = launcher.start()
    pids = launcher.wait_until_ready()
    process.kill()
    process.communicate()
    wait_until(lambda: have_processes_ended(pids[:1]), "the kernel has ended the server")
    assert not have_processes_ended(pids[1:])
    launcher.started.path.write_text(launcher.started.path.read_text().replace('"is_ready"', '"was_ready"'))
    second = launcher.start()
    launcher.wait_until_ready()
    assert have_processes_ended(pids)
    second.terminate()
    second.communicate()


@pytest.mark.parametrize("switch", ["freeze", "hang"])
def test_a_server_without_progress_is_killed(switch: str, launcher: Launcher) -> None:
    process = launcher.start(hang_seconds=3)
    launcher.wait_until_ready()
    (launcher.folder / switch).touch()
    output, _ = process.communicate()
    assert "vLLM made no progress for 3 s and is killed" in output
    assert output.splitlines()[-1] == "-9 False True"


def test_progress_is_summed_over_the_engines_of_a_server() -> None:
    lines = [
        "# TYPE vllm:num_requests_running gauge",
        'vllm:num_requests_running{engine="0",model_name="base"} 3.0',
        'vllm:num_requests_running{engine="1",model_name="base"} 1.0',
        'vllm:prompt_tokens_total{engine="0",model_name="base"} 38.0',
        'vllm:generation_tokens_total{engine="0",model_name="base"} 12.0',
        'vllm:iteration_tokens_total_bucket{engine="0",le="1.0",model_name="base"} 3.0',
    ]
    progress = read_progress("\n".join(lines))
    assert (progress.running, progress.tokens) == (4.0, 50.0)
