"""What a scrape of a worker with servers shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from tests.conftest import wait_until
from tests.fake_openai_server import FakeServer, answer_with, wait_first
from tests.unit.workers.engine.prompts import GREEDY, ask
from workers.engine.remote.remote_engine import RemoteEngine


def test_requests_are_counted_where_they_are(server: FakeServer, remote: RemoteEngine) -> None:
    registry = CollectorRegistry()
    registry.register(remote.metrics)
    server.faults += [wait_first(2), answer_with(429, Retry_After="2")]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(remote.generate, ask("The river"), GREEDY)
        wait_until(lambda: registry.get_sample_value("gistmill_requests_running") == 1, "one runs")
        second = pool.submit(remote.generate, ask("The river"), GREEDY)
        wait_until(lambda: registry.get_sample_value("gistmill_requests_waiting") == 1, "one waits")
        generations = [first.result(), second.result()]
    values = {
        name: registry.get_sample_value(f"gistmill_{name}")
        for name in ("requests_running", "requests_waiting", "loop_age_seconds", "tokens_out_total", "tokens_in_total")
    }
    assert values == {
        "requests_running": 0,
        "requests_waiting": 0,
        "loop_age_seconds": 0,
        "tokens_out_total": sum(generation.completion_tokens for generation in generations),
        "tokens_in_total": sum(generation.prompt_tokens for generation in generations),
    }
