"""``gistmill worker --engine vllm`` with the real vLLM and weights on a CPU: its end, and why it does not start.

``GISTMILL_VLLM`` names the Python of an environment with vLLM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster, wait_until
from tests.engines.servers import START_SECONDS
from tests.fake_vllm import have_processes_ended
from tests.integration.conftest import Gistmill
from tests.worker_processes import have_ended, make_environment, query, run, submit
from workers.local.vllm import MODULE

ERROR = "gistmill: error: "
COMMAND = ["gistmill", "worker", "--engine", "vllm"]


@pytest.fixture
def environment(cluster: Cluster, real_weights: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a worker of the real weights."""
    return make_environment(cluster, real_weights, tmp_path) | {
        "GISTMILL_VLLM": os.environ["GISTMILL_VLLM"],
        "GISTMILL_VLLM_OPTIONS": "--enforce-eager",
        "GISTMILL_DTYPE": "float32",
        "GISTMILL_CONTEXT_TOKENS": "2048",
        "GISTMILL_KV_CACHE_GB": "1",
        "GISTMILL_DRAIN_SECONDS": "600",
    }


@pytest.mark.timeout(3600)
def test_a_worker_drains_before_its_server_ends_and_no_process_is_left(
    gistmill: Gistmill, cluster: Cluster, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with run(COMMAND, environment, log) as process:
        wait_until(lambda: "worker_ready" in log.read_text(), "it serves", seconds=START_SECONDS)
        # More than one process has slots for, so that some are not begun when it must end.
        submit(gistmill, tmp_path, range(8), new_tokens=200)
        generating = "SELECT count(*) >= 4 FROM steps WHERE state = 'running' AND kind <> 'plan'"
        wait_until(lambda: query(cluster, generating) == [(True,)], "it generates")
        pids = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=START_SECONDS) == 0
    wait_until(lambda: have_processes_ended(pids), "no process of it runs")
    written = log.read_text()
    assert written.index("draining") < written.index("worker_stopped") < written.rindex("hutting down")
    assert query(cluster, "SELECT DISTINCT outcome FROM step_attempts") == [("done",)]
    assert query(cluster, "SELECT count(*) FROM steps WHERE state = 'done' AND kind = 'stuff'") != [(0,)]
    assert query(cluster, "SELECT count(*) FROM steps WHERE state = 'running' OR errors + crashes > 0") == [(0,)]
    with run(COMMAND, environment, log):
        wait_until(lambda: have_ended(cluster), "the other jobs have ended", seconds=START_SECONDS)
    assert_nothing_lost_or_doubled(cluster.engine)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"GISTMILL_VLLM_OPTIONS": "--max-num-sheep 3"}, "it does not know an option"),
        ({"GISTMILL_CONTEXT_TOKENS": "2000000"}, "vLLM cannot serve these weights with these settings"),
        (
            {"GISTMILL_VLLM_OPTIONS": "--enforce-eager --num-gpu-blocks-override 2"},
            "too little memory is left for the KV cache",
        ),
    ],
    ids=["option", "context", "memory"],
)
def test_a_server_that_can_never_start_ends_the_command_with_one_sentence(
    settings: dict[str, str], sentence: str, environment: dict[str, str], tmp_path: Path
) -> None:
    assert run_to_its_end(environment | settings, tmp_path).startswith(f"vLLM did not start: {sentence} (")


@pytest.mark.timeout(1800)
def test_weights_of_a_kind_that_vllm_does_not_know_end_the_command_with_one_sentence(
    environment: dict[str, str], real_weights: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in real_weights.iterdir():
        (weights / path.name).symlink_to(path)
    config = json.loads((weights / "config.json").read_text()) | {"model_type": "sheep", "architectures": ["SheepLM"]}
    (weights / "config.json").unlink()
    (weights / "config.json").write_text(json.dumps(config))
    sentence = run_to_its_end(environment | {"GISTMILL_WEIGHTS": str(weights)}, tmp_path)
    assert sentence.startswith("vLLM did not start: vLLM cannot serve weights of this kind (")


def test_a_python_without_vllm_ends_the_command_with_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    sentence = run_to_its_end(environment | {"GISTMILL_VLLM": sys.executable}, tmp_path)
    assert sentence.startswith(f"{sys.executable} has no vLLM; install it in an environment of its own (")


@pytest.mark.timeout(1800)
def test_a_server_that_is_killed_while_it_starts_is_said_and_started_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with run(COMMAND, environment, log) as process:
        wait_until(lambda: find_server(process.pid) is not None, "vLLM starts", seconds=START_SECONDS)
        first = find_server(process.pid)
        assert first is not None
        first.kill()
        reason = "gistmill: error: vLLM did not start: it was killed, as when memory runs out; set a smaller GISTMILL_"
        wait_until(lambda: reason in log.read_text(), "it is said")
        wait_until(lambda: find_server(process.pid) not in (None, first), "it is started again", seconds=START_SECONDS)
        assert process.poll() is None


def run_to_its_end(environment: dict[str, str], folder: Path) -> str:
    """Run a worker that ends with code 1, and return the only reason that its processes give."""
    log = folder / "worker.log"
    with run(COMMAND, environment, log) as process:
        assert process.wait(timeout=START_SECONDS) == 1
    errors = [line for line in log.read_text().splitlines() if line.startswith(ERROR)]
    # The launcher and the worker that waits for it are two processes; the command adds that none is left.
    [reason] = {line.removeprefix(ERROR) for line in errors if "no worker process is left" not in line}
    return reason


def find_server(pid: int) -> psutil.Process | None:
    """Return vLLM's first process among those that a process has started."""
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if MODULE in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                return child
    return None
