"""What happens when the broker dies, forgets, freezes, or when the network to it breaks."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from models.broker_state import PROCESS
from models.step import Step
from tests.chaos.proxy import Proxy
from tests.chaos.scene import Scene, write_text


@pytest.fixture
def proxy(scene: Scene) -> Iterator[Proxy]:
    """Stands between the workers and the broker."""
    proxy = Proxy(scene.arena.home.valkey.port)
    yield proxy
    proxy.close()


def through(proxy: Proxy, scene: Scene) -> str:
    port = scene.arena.home.valkey.port
    return scene.arena.broker_url.replace(f":{port}/", f":{proxy.port}/")


@pytest.mark.parametrize("slots", [2, 6], ids=["saturated", "not-saturated"])
@pytest.mark.parametrize("is_persistent", [False, True], ids=["without-persistence", "with-persistence"])
def test_a_killed_broker_costs_nothing_but_time(scene: Scene, slots: int, is_persistent: bool) -> None:
    scene.switch("hold")
    # Nothing is sent again because it is old, so what the broker lost is found by its epoch or its start alone.
    scene.add_worker(slots=slots, redispatch_seconds=600)
    scene.keep_workers()
    scene.submit([write_text("alpha", 4), write_text("beta", 3)], strategy="map-reduce")
    scene.wait_for_running(min(slots, 4))
    scene.submit([write_text("gamma", 2)], strategy="refine")
    kill = scene.arena.crash_broker if is_persistent else scene.arena.lose_broker
    kill(down=0.5)
    scene.switch("hold", on=False)
    scene.wait_for_end()
    assert scene.workers[0].starts == 1


def test_what_a_broker_had_not_yet_written_when_it_was_killed_is_sent_again(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=1, redispatch_seconds=600)
    found = f"SELECT count(*) FROM cluster_facts WHERE name = '{PROCESS}'"
    scene.wait_until(lambda: scene.count(found) == 1, "the broker is known")
    scene.submit([write_text("alpha", 3)], strategy="map-reduce")
    scene.wait_for_running()
    # What a disk that is slow for a second costs: the messages are gone, the epoch is not.
    scene.delete_queue("map.default", 3)
    scene.arena.crash_broker()
    scene.wait_until(lambda: scene.has_logged(0, "broker_restarted"), "the restart is seen while steps are ready")
    scene.switch("hold", on=False)
    scene.wait_for_end()
    scene.assert_all_succeeded(1)


def test_a_submission_without_a_broker_is_sent_when_it_is_back(scene: Scene) -> None:
    scene.add_worker()
    scene.keep_workers()
    scene.arena.valkey.end(signal.SIGKILL)
    scene.submit([write_text("alpha", 2)], strategy="map-reduce")
    scene.arena.valkey.start()
    scene.wait_for_end()
    scene.assert_all_succeeded(1)


def test_a_broker_that_freezes_and_goes_on_loses_nothing(scene: Scene) -> None:
    scene.add_worker(seconds=(0.0, 0.1))
    scene.keep_workers()
    scene.submit([write_text(f"text{number}", 3) for number in range(6)], strategy="map-reduce")
    scene.arena.valkey.signal(signal.SIGSTOP)
    time.sleep(6)
    scene.arena.valkey.signal(signal.SIGCONT)
    scene.wait_for_end()
    scene.assert_all_succeeded(6)


def test_connections_that_are_reset_lose_and_double_nothing(scene: Scene, proxy: Proxy) -> None:
    scene.add_worker(seconds=(0.0, 0.1), broker_url=through(proxy, scene))
    scene.keep_workers()
    scene.submit([write_text(f"text{number}", 4) for number in range(10)], strategy="map-reduce")
    for _ in range(4):
        time.sleep(0.5)
        proxy.abort()
    scene.wait_for_end()
    scene.assert_all_succeeded(10)


def test_connections_that_go_silent_lose_and_double_nothing(scene: Scene, proxy: Proxy) -> None:
    scene.add_worker(seconds=(0.0, 0.1), broker_url=through(proxy, scene))
    scene.keep_workers()
    scene.submit([write_text(f"text{number}", 3) for number in range(4)], strategy="map-reduce")
    scene.wait_for_running()
    assert proxy.black_hole() > 0
    scene.submit([write_text("late", 2)], strategy="map-reduce")
    scene.wait_for_end()
    scene.assert_all_succeeded(5)


def test_a_message_that_the_broker_lost_is_sent_again(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=1)
    scene.submit([write_text("alpha", 3)], strategy="map-reduce")
    scene.wait_for_running()
    # One list per queue and level: this takes the messages and leaves the broker's epoch as it is.
    scene.delete_queue("map.default", 3)
    scene.wait_until(lambda: max(scene.read_steps(Step.dispatches, kind="map")) >= (2,), "a message is sent again")
    scene.switch("hold", on=False)
    scene.wait_for_end()
    scene.assert_all_succeeded(1)
