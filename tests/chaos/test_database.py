"""What happens when Postgres restarts, crashes, or does not get its answer through."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from models.recovery import RECLAIM_LOCK
from models.step import Step
from tests.chaos.proxy import Proxy
from tests.chaos.scene import Scene, write_text

# CommandComplete messages of the protocol: to the statement that ends a step, and to the transaction that ends a wave.
ANSWERS = {"of a statement": b"UPDATE 1\0", "of a transaction": b"COMMIT\0"}


@pytest.fixture
def proxy(scene: Scene) -> Iterator[Proxy]:
    """Stands between the workers and Postgres."""
    proxy = Proxy(scene.arena.home.postgres.port)
    yield proxy
    proxy.close()


def through(proxy: Proxy, scene: Scene) -> str:
    port = scene.arena.home.postgres.port
    return scene.database_url.replace(f":{port}/", f":{proxy.port}/")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["restarts", "crashes"])
def test_steps_survive_a_postgres_that_goes_away_again_and_again(scene: Scene, number: signal.Signals) -> None:
    worker = scene.add_worker(seconds=(0.1, 0.4))
    scene.submit([write_text(f"text{number}", 4) for number in range(12)], strategy="map-reduce")
    for _ in range(3):
        time.sleep(1.5)
        scene.arena.restart_postgres(number, down=0.5)
    scene.wait_for_end()
    assert worker.is_alive()
    assert scene.count("SELECT coalesce(sum(errors + crashes), 0) FROM steps") == 0


def test_a_result_that_is_ready_while_postgres_is_away_is_stored_when_it_is_back(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(lease_seconds=3, restart_grace_seconds=60)
    [job] = scene.submit([write_text("alpha", 1)], strategy="stuff")
    # Before the engine has the step, its worker still has to read its texts, and would give it back.
    scene.wait_for_held()
    scene.arena.postgres.end(signal.SIGINT)
    scene.switch("hold", on=False)
    # Longer than the lease: nobody can take it away meanwhile, and afterwards there is a time of grace.
    time.sleep(4)
    scene.arena.postgres.start()
    scene.wait_for_end()
    assert scene.read_states([job]) == ["succeeded"]
    assert scene.read_steps(Step.attempt, kind="stuff") == [(1,)]


def test_messages_stay_on_the_broker_while_postgres_is_away(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=2)
    scene.submit([write_text("alpha", 20)], strategy="map-reduce")
    scene.wait_for_running(2)
    scene.arena.postgres.end(signal.SIGINT)
    scene.switch("hold", on=False)
    time.sleep(2)
    assert scene.count_messages() >= 16
    scene.arena.postgres.start()
    scene.wait_for_end()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_commit_whose_reply_is_lost_is_not_repeated(scene: Scene, proxy: Proxy, answer: bytes) -> None:
    scene.switch("hold")
    scene.add_worker(database_url=through(proxy, scene), heartbeat_seconds=30, lease_seconds=60, rescue_seconds=60)
    [job] = scene.submit([write_text("alpha", 3)], strategy="map-reduce")
    scene.wait_for_running(3)
    lost: list[bytes] = []

    def is_first_answer(data: bytes) -> bool:
        if answer in data and not lost:
            lost.append(data)
            return True
        return False

    proxy.judge_replies(is_first_answer)
    scene.switch("hold", on=False)
    scene.wait_for_end()
    assert lost
    assert scene.read_states([job]) == ["succeeded"]
    assert scene.read_steps(Step.attempt, kind="map") == [(1,)] * 3


def test_connections_to_postgres_that_are_reset_lose_and_double_nothing(scene: Scene, proxy: Proxy) -> None:
    scene.add_worker(seconds=(0.0, 0.2), database_url=through(proxy, scene))
    scene.submit([write_text(f"text{number}", 4) for number in range(10)], strategy="map-reduce")
    for _ in range(6):
        time.sleep(0.5)
        proxy.abort()
    scene.wait_for_end()
    assert scene.count("SELECT coalesce(sum(errors), 0) FROM steps") == 0


def test_a_worker_that_freezes_within_its_rescue_does_not_keep_others_from_theirs(scene: Scene, proxy: Proxy) -> None:
    scene.switch("hold")
    frozen = scene.add_worker(slots=2, lease_seconds=3, database_url=through(proxy, scene))
    scene.submit([write_text("alpha", 4)], strategy="map-reduce")
    scene.wait_for_running(2)
    locks: list[bytes] = []

    def freeze(data: bytes) -> bool:
        # The lock's row: the transaction that holds it is open, and the worker will say no more.
        if RECLAIM_LOCK.encode() in data and not locks:
            frozen.signal(signal.SIGSTOP)
            locks.append(data)
        return False

    proxy.judge_replies(freeze)
    scene.wait_until(lambda: bool(locks), "it is frozen")
    scene.add_worker()
    scene.switch("hold", on=False)
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome = 'lost'") == 2
    frozen.signal(signal.SIGCONT)
    scene.wait_until(lambda: scene.has_logged(0, "rescue_postponed"), "its transaction has ended without it")
    scene.submit([write_text("beta", 4)], strategy="map-reduce")
    scene.wait_for_end()
    assert frozen.is_alive()
