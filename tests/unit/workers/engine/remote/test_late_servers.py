"""Servers that were down when a worker started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.conftest import wait_until
from tests.fake_openai_server import CONTEXT, FakeServer
from tests.unit.workers.engine.prompts import GREEDY, ask
from tests.unit.workers.engine.remote.conftest import Attach
from workers.engine.engine import Engine
from workers.engine.remote import attach as attaching
from workers.engine.remote import late_servers


@pytest.fixture
def late(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server that is down."""
    monkeypatch.setattr(attaching, "OTHERS_SECONDS", 0.1)
    monkeypatch.setattr(late_servers, "JOIN_SECONDS", 0.05)
    server = FakeServer(engine)
    server.start()
    server.kill()
    yield server
    server.kill()


def test_a_server_that_is_down_at_the_start_joins_when_it_comes_up(
    server: FakeServer, late: FakeServer, attach: Attach
) -> None:
    remote = attach(server, late)
    assert remote.hosts == [f"127.0.0.1:{server.port}"]
    late.start()
    wait_until(lambda: len(remote.hosts) == 2, "it joins")
    late.bodies.clear()
    for _ in range(2):
        remote.generate(ask("The river"), GREEDY)
    assert len(late.bodies) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"owned_by": "me"}, "differ in their dialect"),
        ({"max_model_len": CONTEXT // 2}, f"has a context of {CONTEXT // 2 - 1} tokens, and this worker has promised"),
    ],
)
def test_a_late_server_that_differs_is_refused_once_until_it_is_like_the_others(
    change: dict[str, object], reason: str, server: FakeServer, late: FakeServer, attach: Attach
) -> None:
    with structlog.testing.capture_logs() as logs:
        remote = attach(server, late)
        alike, late.models = late.models, [{**late.models[0], **change}]
        late.start()
        wait_until(lambda: any(line["event"] == "engine_server_refused" for line in logs), "it is refused")
        seen = len(late.bodies)
        wait_until(lambda: len(late.bodies) > seen + 6, "it is tried again")
        assert len(remote.hosts) == 1
        late.models = alike
        wait_until(lambda: len(remote.hosts) == 2, "it joins")
    refusals = [line["reason"] for line in logs if line["event"] == "engine_server_refused"]
    assert len(refusals) == 1
    assert reason in refusals[0]
