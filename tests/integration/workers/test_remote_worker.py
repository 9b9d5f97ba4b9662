"""Real worker processes whose engine is a server: one that is there, and one that ``gistmill worker`` starts."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster, wait_until
from tests.fake_openai_server import FakeServer
from tests.fake_vllm import have_processes_ended, write_fake_vllm
from tests.integration.conftest import Gistmill, read_jobs
from tests.processes import PATIENCE
from tests.worker_processes import have_ended, make_environment, query, run, submit
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine


@pytest.fixture
def environment(cluster: Cluster, tiny_weights: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a worker of the tiny Gemma."""
    return make_environment(cluster, tiny_weights, tmp_path)


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


def test_weights_that_do_not_exist_end_the_command_before_anything_starts(
    gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GISTMILL_VLLM", str(write_fake_vllm(tmp_path)))
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tmp_path / "gemma"))
    # The command sets it in this process, and the test takes it back.
    monkeypatch.setenv("GISTMILL_ENGINE", "transformers")
    done = gistmill("worker", "--engine", "vllm")
    assert done.code != 0
    assert done.err == f"gistmill: error: there is no weights folder {tmp_path / 'gemma'}; check the path\n"
    assert not (tmp_path / "starts").exists()


def test_a_vllm_that_dies_at_its_start_is_started_again(environment: dict[str, str], tmp_path: Path) -> None:
    failure = "torch.AcceleratorError: CUDA error: unknown error"
    environment |= {"GISTMILL_VLLM": str(write_fake_vllm(tmp_path)), "FAKE_VLLM": f"fail:{failure}"}
    log, starts = tmp_path / "worker.log", tmp_path / "starts"
    with run(["gistmill", "worker", "--engine", "vllm"], environment, log):
        wait_until(lambda: starts.exists() and len(starts.read_text()) > 1, "it is tried again")
    assert f"gistmill: error: vLLM did not start and ended with code 1: {failure}" in log.read_text()
