"""Faults in a vLLM server and in its workers, with a program that speaks vLLM's protocol in its place."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.scene import Scene, write_text
from tests.chaos.vllm_cluster import VllmCluster
from tests.fake_vllm import write_fake_vllm

DONE = "SELECT count(*) FROM steps WHERE state = 'done'"


@pytest.fixture
def vllm(scene: Scene, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VllmCluster]:
    """Two workers on one server, which takes a moment for each answer."""
    monkeypatch.setenv("FAKE_VLLM", "slow")
    python = write_fake_vllm(scene.folder)
    cluster = VllmCluster(scene, python=python, weights=tiny_weights, workers=2, hang_seconds=60, drain_seconds=1)
    cluster.start()
    yield cluster
    cluster.close()


def test_faults_in_the_server_and_in_its_workers_lose_and_double_nothing(scene: Scene, vllm: VllmCluster) -> None:
    scene.submit([write_text(f"text{number}", 3) for number in range(8)], strategy="map-reduce")

    def wait_for_progress() -> None:
        done = scene.count(DONE)
        scene.wait_until(lambda: scene.count(DONE) > done or scene.is_over(), "work goes on")

    wait_for_progress()
    vllm.server.signal(signal.SIGKILL)
    vllm.workers[0].signal(signal.SIGKILL)
    wait_for_progress()
    vllm.server.signal(signal.SIGSTOP)
    vllm.workers[1].signal(signal.SIGTERM)
    scene.wait_until(lambda: scene.has_logged(1, "worker_stopped"), "a worker has given its steps back")
    vllm.server.signal(signal.SIGCONT)
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM jobs WHERE state IN ('succeeded', 'partial')") == 8
