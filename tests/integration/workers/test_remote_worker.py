"""Real worker processes whose engine is a server: one that is there, and one that ``gistmill worker`` starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster, wait_until
from tests.fake_openai_server import FakeServer
from tests.fake_vllm import ROOT, have_processes_ended, write_fake_vllm
from tests.integration.conftest import Gistmill, read_jobs
from tests.processes import PATIENCE
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine

TEXT = "The river rose by {} metres in two days, and the council closed both bridges. Engineers measured the piers. "


@pytest.fixture
def environment(cluster: Cluster, tiny_weights: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a worker of the tiny Gemma."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GISTMILL_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "GISTMILL_DATABASE_URL": cluster.database_url,
        "GISTMILL_BROKER_URL": cluster.broker_url,
        "GISTMILL_HOME": str(tmp_path),
        "GISTMILL_WEIGHTS": str(tiny_weights),
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
    return query(cluster, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == [(0,)]


def submit(gistmill: Gistmill, folder: Path, numbers: Sequence[int], *, weights: str = "default") -> None:
    """Submit documents that each take one generation."""
    paths = []
    for number in numbers:
        path = folder / f"note{number}.txt"
        path.write_text(TEXT.format(number) * 6)
        paths.append(str(path))
    options = ("--strategy", "stuff", "--max-new-tokens", "16", "--greedy", "--no-cache", "--weights", weights)
    done = gistmill("submit", *paths, *options)
    assert done.code == 0, done.err


def test_jobs_outlive_a_server_that_is_killed_again_and_again(
    gistmill: Gistmill, cluster: Cluster, environment: dict[str, str], tiny_weights: Path, tmp_path: Path
) -> None:
    engine = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none"))
    log = tmp_path / "worker.log"
    with FakeServer(engine).run() as server:
        environment |= {
            "GISTMILL_ENGINE": server.url,
            "GISTMILL_ENGINE_KEY": "a-secret-key",
            "GISTMILL_LOG_FORMAT": "json",
        }
        submit(gistmill, tmp_path, range(24))
        with run(["workers"], environment, log):
            for _ in range(3):
                # Whatever runs then is lost, and is sent again.
                seen = len(server.bodies)
                wait_until(lambda seen=seen: len(server.bodies) > seen + 4 or have_ended(cluster), "work goes on")  # type: ignore[misc]
                server.kill()
                time.sleep(1)
                server.start()
            wait_until(lambda: have_ended(cluster), "all jobs have ended")
    engine.close()
    assert_nothing_lost_or_doubled(cluster.engine)
    assert {job.state for job in read_jobs(cluster)} <= {"succeeded", "partial"}
    [(details,)] = query(cluster, "SELECT details -> 'engine' FROM workers")
    assert (details["server"], details["prompts"], details["version"]) == ("vllm", "token ids", "0.32.0")
    written = log.read_text()
    assert "engine_attached" in written
    assert "a-secret-key" not in written


def test_a_worker_waits_for_its_server_and_ends_at_once_when_told_to(
    cluster: Cluster, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    environment["GISTMILL_ENGINE"] = "http://127.0.0.1:9/v1"
    with run(["workers"], environment, log) as process:
        wait_until(lambda: "waiting_for_engine_server" in log.read_text(), "it waits")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0


def test_a_started_vllm_serves_two_names_is_started_again_and_ends_last(
    gistmill: Gistmill, cluster: Cluster, environment: dict[str, str], tiny_weights: Path, tmp_path: Path
) -> None:
    environment["GISTMILL_VLLM"] = str(write_fake_vllm(tmp_path))
    log = tmp_path / "worker.log"
    names = ("--name", "default", "--name", "other")
    with run(["gistmill", "worker", "--engine", "vllm", *names], environment, log) as process:
        serving = "SELECT count(*) FROM workers WHERE stopped_at IS NULL"
        wait_until(lambda: query(cluster, serving) == [(2,)] or process.poll() is not None, "both names are served")
        assert process.poll() is None, log.read_text()
        for name in ("default", "other"):
            submit(gistmill, tmp_path, [1], weights=name)
        wait_until(lambda: have_ended(cluster), "jobs of both names have ended")
        before = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        os.kill(before[0], signal.SIGKILL)
        submit(gistmill, tmp_path, [2])
        wait_until(lambda: have_ended(cluster), "a job of the restarted server has ended")
        after = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert not set(before) & set(after)
    assert query(cluster, serving) == [(0,)]
    wait_until(lambda: have_processes_ended(before + after), "no process of the servers runs")
    arguments = json.loads((tmp_path / "arguments.json").read_text())
    assert arguments[arguments.index("--served-model-name") + 1 :][:2] == ["default", "other"]
    assert arguments[arguments.index("--max-num-seqs") + 1] == "8"
    assert_nothing_lost_or_doubled(cluster.engine)


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("missing", "fake-vllm has no vLLM; install it in an environment of its own"),
        (
            "fail:ValueError: Model architectures ['BertModel'] are not supported for now.",
            "vLLM did not start: vLLM cannot serve weights of this kind (ValueError: Model architectures",
        ),
        (
            "fail:ValueError: No available memory for the cache blocks.",
            "vLLM did not start: too little memory is left for the KV cache",
        ),
    ],
)
def test_a_vllm_that_can_never_start_ends_the_command_with_one_sentence(
    behaviour: str, sentence: str, cluster: Cluster, environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"GISTMILL_VLLM": str(write_fake_vllm(tmp_path)), "FAKE_VLLM": behaviour}
    log = tmp_path / "worker.log"
    with run(["gistmill", "worker", "--engine", "vllm"], environment, log) as process:
        assert process.wait(timeout=PATIENCE) == 1
    [*_, line] = [line for line in log.read_text().splitlines() if sentence in line]
    assert line.startswith("gistmill: error: ")
    assert "Traceback" not in log.read_text()


def test_a_vllm_that_dies_at_its_start_is_started_again(environment: dict[str, str], tmp_path: Path) -> None:
    failure = "torch.AcceleratorError: CUDA error: unknown error"
    environment |= {"GISTMILL_VLLM": str(write_fake_vllm(tmp_path)), "FAKE_VLLM": f"fail:{failure}"}
    log, starts = tmp_path / "worker.log", tmp_path / "starts"
    with run(["gistmill", "worker", "--engine", "vllm"], environment, log):
        wait_until(lambda: starts.exists() and len(starts.read_text()) > 1, "it is tried again")
    assert f"gistmill: error: vLLM did not start and ended with code 1: {failure}" in log.read_text()
