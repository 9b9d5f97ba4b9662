"""Servers that are busy, slow, wrong or killed: requests are repeated, and end with a sentence if nothing helps."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import wait_until
from tests.fake_openai_server import (
    CONTEXT,
    FakeServer,
    Fault,
    abort,
    answer_with,
    never_end,
    reset,
    send_garbage,
    send_half,
    wait_first,
)
from tests.unit.workers.engine.prompts import GREEDY, ask
from tests.unit.workers.engine.remote.conftest import Attach
from workers.engine.engine import Engine
from workers.engine.errors import (
    EngineStoppedError,
    RequestFailedError,
    ServerUnreachableError,
    UnsupportedRequestError,
)
from workers.engine.remote import delivery
from workers.engine.remote.remote_engine import RemoteEngine
from workers.generation import FinishReason

PROMPT = ask("The river rose")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and outages last a moment."""
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(delivery, "OUTAGE_SECONDS", 0.5)


@pytest.mark.parametrize(
    "fault",
    [
        answer_with(429),
        answer_with(429, Retry_After="0"),
        answer_with(503),
        answer_with(500),
        answer_with(502),
        send_garbage,
        send_half,
        abort,
        wait_first(0.5),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_request_survives_two_faults_in_a_row(
    fault: Fault, server: FakeServer, remote: RemoteEngine, engine: Engine
) -> None:
    server.faults += [fault, fault]
    assert remote.generate(PROMPT, GREEDY).text == engine.generate(PROMPT, GREEDY).text


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (send_garbage, "no completion: <html>"),
        (send_half, "before the answer"),
        (abort, "abort"),
        (answer_with(500), "500"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_request_that_a_server_fails_three_times_fails_alone(
    fault: Fault, reason: str, server: FakeServer, remote: RemoteEngine
) -> None:
    server.faults += [fault] * 3
    with pytest.raises(RequestFailedError, match=rf"failed 3 times with this request: .*{reason}"):
        remote.generate(PROMPT, GREEDY)
    assert remote.generate(PROMPT, GREEDY).finish_reason in (FinishReason.STOP, FinishReason.LENGTH)


@pytest.mark.usefixtures("quick")
def test_a_server_that_stays_busy_gives_the_step_back(server: FakeServer, remote: RemoteEngine) -> None:
    server.faults += [answer_with(429)] * 1000
    with pytest.raises(ServerUnreachableError, match=r"no server of the engine answers .*429: the queue is full"):
        remote.generate(PROMPT, GREEDY)


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_gone_gives_the_step_back(server: FakeServer, remote: RemoteEngine) -> None:
    server.kill()
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        remote.generate(PROMPT, GREEDY)


def test_requests_outlive_a_server_that_is_killed_in_the_middle_and_started_again(
    server: FakeServer, remote: RemoteEngine, engine: Engine
) -> None:
    prompts = [ask(f"The river rose by {number} metres") for number in range(16)]
    alone = [engine.generate(prompt, GREEDY).text for prompt in prompts]
    server.faults += [wait_first(60)] * 16  # none is answered before the server dies
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(remote.generate, prompt, GREEDY) for prompt in prompts]
        wait_until(lambda: len(server.bodies) == 16, "all have arrived")
        server.kill()
        time.sleep(0.5)
        server.start()
        assert [future.result().text for future in futures] == alone


def test_a_cancelled_request_closes_its_connection_so_that_the_server_aborts_it(
    server: FakeServer, remote: RemoteEngine
) -> None:
    server.faults.append(never_end)
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(remote.generate, PROMPT, GREEDY, cancelled=cancelled)
        wait_until(lambda: server.running == 1, "it runs")
        cancelled.set()
        assert future.result().finish_reason is FinishReason.CANCELLED
    wait_until(lambda: server.aborted == 1 and server.running == 0, "the server has aborted it")


@pytest.mark.parametrize("fault", [wait_first(60), answer_with(429, Retry_After="10")])
def test_a_request_ends_at_its_deadline_whatever_the_server_does(
    fault: Fault, server: FakeServer, remote: RemoteEngine
) -> None:
    server.faults.append(fault)
    generation = remote.generate(PROMPT, GREEDY, deadline=time.monotonic() + 0.3)
    assert generation.finish_reason is FinishReason.DEADLINE


def test_a_request_that_the_server_refuses_is_not_repeated(server: FakeServer, remote: RemoteEngine) -> None:
    server.faults.append(answer_with(400))
    with pytest.raises(UnsupportedRequestError, match="refuses this request with status 400: the queue is full"):
        remote.generate(PROMPT, GREEDY)
    assert len(server.bodies) == 1


def test_a_model_that_is_gone_is_an_error_of_the_request(server: FakeServer, remote: RemoteEngine) -> None:
    server.models = [{"id": "other", "owned_by": "vllm", "max_model_len": CONTEXT}]
    with pytest.raises(RequestFailedError, match="status 404: The model `tiny` does not exist"):
        remote.generate(PROMPT, GREEDY)


def test_of_two_servers_the_one_that_lives_takes_all_requests(engine: Engine, attach: Attach) -> None:
    with FakeServer(engine).run() as first, FakeServer(engine).run() as second:
        remote = attach(first, second)
        first.kill()
        second.bodies.clear()
        texts = {remote.generate(PROMPT, GREEDY).text for _ in range(4)}
        assert (texts, len(second.bodies)) == ({engine.generate(PROMPT, GREEDY).text}, 4)


def test_requests_are_balanced_by_what_runs(engine: Engine, attach: Attach) -> None:
    with FakeServer(engine).run() as first, FakeServer(engine).run() as second:
        remote = attach(first, second)
        first.bodies.clear()
        second.bodies.clear()
        # One request occupies one of them, so that the other gets what follows.
        first.faults += [wait_first(3)]
        second.faults += [wait_first(3)]
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(remote.generate, PROMPT, GREEDY)
            wait_until(lambda: bool(first.bodies or second.bodies), "one is busy")
            busy, free = (first, second) if first.bodies else (second, first)
            free.faults.clear()
            for _ in range(3):
                remote.generate(PROMPT, GREEDY)
            assert (len(busy.bodies), len(free.bodies)) == (1, 3)
            assert slow.result().finish_reason in (FinishReason.STOP, FinishReason.LENGTH)


def test_progress_is_counted_from_the_first_request_after_idleness(server: FakeServer, remote: RemoteEngine) -> None:
    assert remote.seconds_since_progress() == 0.0
    remote._delivery.last_answer -= 1000
    server.faults.append(wait_first(0.5))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(remote.generate, PROMPT, GREEDY)
        wait_until(lambda: len(server.bodies) == 1, "it has arrived")
        assert 0 < remote.seconds_since_progress() < 500
        future.result()
    assert remote.seconds_since_progress() == 0.0


def test_a_closed_engine_ends_its_requests_and_takes_no_more(server: FakeServer, remote: RemoteEngine) -> None:
    server.faults.append(never_end)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(remote.generate, PROMPT, GREEDY)
        wait_until(lambda: server.running == 1, "it runs")
        remote.close()
        with pytest.raises(EngineStoppedError):
            future.result()
    with pytest.raises(EngineStoppedError, match="restart this worker"):
        remote.generate(PROMPT, GREEDY)


def test_a_reset_connection_is_repeated(server: FakeServer, remote: RemoteEngine, engine: Engine) -> None:
    def reset_it(handler: object) -> bool:
        reset(handler.connection)  # type: ignore[attr-defined]
        return True

    server.faults.append(reset_it)
    assert remote.generate(PROMPT, GREEDY).text == engine.generate(PROMPT, GREEDY).text
