from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.conftest import wait_until
from workers.engine.engine import Engine
from workers.engine.errors import RequestFailedError
from workers.generation import FinishReason, GenerationParams, Part, Prompt, Turn

PROMPT = Prompt((Turn("user", (Part("The river rose."),)),))
GREEDY = GenerationParams(do_sample=False, max_new_tokens=6)


@pytest.fixture
def registry(own_engine: Engine) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(own_engine.metrics)
    return registry


def read_requests(registry: CollectorRegistry) -> tuple[float | None, float | None]:
    """Return how many requests run, and how many wait."""
    running, waiting = (registry.get_sample_value(f"gistmill_requests_{name}") for name in ("running", "waiting"))
    return running, waiting


def test_tokens_and_seconds_are_counted(own_engine: Engine, registry: CollectorRegistry) -> None:
    generations = [own_engine.generate(PROMPT, GREEDY) for _ in range(3)]
    assert registry.get_sample_value("gistmill_tokens_in_total") == sum(item.prompt_tokens for item in generations)
    assert registry.get_sample_value("gistmill_tokens_out_total") == 18
    labels = {"finish_reason": "length"}
    assert registry.get_sample_value("gistmill_request_seconds_count", labels) == 3
    assert registry.get_sample_value("gistmill_request_seconds_sum", labels) == pytest.approx(
        sum(item.seconds for item in generations)
    )


def test_waiting_and_running_requests_and_the_cache_are_shown(
    own_engine: Engine, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Greedily and without speculation: random weights repeat themselves then, and no request ends by itself.
    monkeypatch.setattr("workers.engine.batching.loop.propose_tokens", lambda *_: None)
    endless = GenerationParams(do_sample=False, max_new_tokens=3000)
    with ThreadPoolExecutor(24) as pool:
        cancelled = threading.Event()
        futures = [pool.submit(own_engine.generate, PROMPT, endless, cancelled=cancelled) for _ in range(24)]
        try:
            wait_until(lambda: read_requests(registry) == (16, 8), "as many requests run as there are slots")
            used = registry.get_sample_value("gistmill_kv_cache_used_ratio")
        finally:
            cancelled.set()
        assert used is not None
        assert 0 < used < 1
        assert {future.result().finish_reason for future in futures} == {FinishReason.CANCELLED}
    assert registry.get_sample_value("gistmill_requests_running") == 0
    assert registry.get_sample_value("gistmill_kv_cache_used_ratio") == 0


def test_tokens_per_second_are_those_since_the_last_reading(own_engine: Engine, registry: CollectorRegistry) -> None:
    own_engine.generate(PROMPT, GREEDY)
    speed = registry.get_sample_value("gistmill_tokens_per_second")
    assert speed is not None
    assert speed > 0
    assert registry.get_sample_value("gistmill_tokens_per_second") == 0


def test_failed_requests_are_counted(own_engine: Engine, registry: CollectorRegistry) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no memory")

    hook = own_engine.weights.network.register_forward_pre_hook(fail)
    with pytest.raises(RequestFailedError):
        own_engine.generate(PROMPT, GREEDY)
    hook.remove()
    assert registry.get_sample_value("gistmill_request_failures_total") == 1


def test_prometheus_can_read_everything(registry: CollectorRegistry) -> None:
    text = generate_latest(registry).decode()
    for name in ("requests_waiting", "requests_running", "batch_size", "kv_cache_used_ratio", "loop_age_seconds"):
        assert f"# TYPE gistmill_{name} gauge" in text
