from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from transformers import ContinuousBatchingConfig

from tests.conftest import wait_until
from tests.processes import PATIENCE
from tests.unit.workers.engine.prompts import GREEDY, HOT, LONG, ask
from workers.engine.batching.lanes import Lanes
from workers.engine.batching.loop import GenerationLoop
from workers.engine.batching.sizing import size_lanes
from workers.engine.config import EngineConfig
from workers.engine.engine import Engine, load_engine
from workers.engine.errors import EngineStoppedError, InsufficientMemoryError, UnsupportedSettingError
from workers.generation import FinishReason, Generation

# Bytes of a sector of the tiny Gemma's cache: a page in the layers with a window, or two in the one without.
SECTOR = 2 * 2 * 32 * 32 * 4


@pytest.fixture
def two_lanes(tiny_weights: Path) -> Iterator[Engine]:
    engine = load_engine(EngineConfig(weights=str(tiny_weights), quantization="none", batch_tokens=64, lanes=2))
    yield engine
    engine.close()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request ends before its limit."""
    monkeypatch.setattr(Engine, "_find_eos_ids", lambda *_: frozenset())


def read_running(engine: Engine) -> list[int]:
    return [loop.read_state().running for loop in engine.lanes.loops]


def wait_until_running(engine: Engine, running: list[int]) -> None:
    wait_until(lambda: read_running(engine) == running, f"{running} requests run in the lanes")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Each lane has one while both work, and two when it works alone."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.usefixtures("two_threads")
def test_what_is_said_does_not_depend_on_the_lane(engine: Engine, two_lanes: Engine) -> None:
    prompts = [ask("river " * (1 + 7 * number)) for number in range(24)]
    params = [(GREEDY, replace(HOT, seed=number))[number % 2] for number in range(24)]

    def generate_all(engine: Engine) -> list[tuple[str, FinishReason]]:
        with ThreadPoolExecutor(24) as pool:
            generations = list(pool.map(engine.generate, prompts, params))
        return [(generation.text, generation.finish_reason) for generation in generations]

    assert len(engine.lanes.loops) == 1
    assert generate_all(two_lanes) == generate_all(engine)


@pytest.mark.usefixtures("endless")
def test_a_request_goes_where_there_are_fewest_and_the_state_is_that_of_all(two_lanes: Engine) -> None:
    cancelled = [threading.Event() for _ in range(4)]

    def generate(event: threading.Event) -> Generation:
        return two_lanes.generate(ask("tell"), LONG, cancelled=event)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(generate, event) for event in cancelled[:3]]
        wait_until_running(two_lanes, [2, 1])
        running.append(pool.submit(generate, cancelled[3]))
        wait_until_running(two_lanes, [2, 2])
        state = two_lanes.lanes.read_state()
        for event in cancelled:
            event.set()
        assert {future.result().finish_reason for future in running} == {FinishReason.CANCELLED}
    assert (state.waiting, state.running) == (0, 4)
    assert 0 < state.cache_used < 1
    wait_until_running(two_lanes, [0, 0])


@pytest.mark.usefixtures("endless")
def test_closing_fails_whoever_waits_in_any_lane(two_lanes: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(two_lanes.generate, ask("tell"), LONG) for _ in range(4)]
        wait_until_running(two_lanes, [2, 2])
        two_lanes.close()
        assert all(isinstance(future.exception(), EngineStoppedError) for future in running)


@pytest.mark.usefixtures("endless")
def test_a_lane_that_dies_tells_the_owner_and_the_other_ends_what_it_has(tiny_weights: Path) -> None:
    told, is_dead = threading.Event(), threading.Event()
    config = EngineConfig(weights=str(tiny_weights), quantization="none", lanes=2)
    engine = load_engine(config, on_fatal=told.set)

    def fail_when_long(_network: object, _args: object, options: dict[str, torch.Tensor]) -> None:
        place = int(options["position_ids"].max())
        if place > 600:
            raise RuntimeError("the device is gone")
        # The request that writes stays behind the one that is read, whichever lane is faster.
        if place > 50 and options["position_ids"].numel() < 32:
            is_dead.wait(PATIENCE)

    engine.weights.network.register_forward_pre_hook(fail_when_long, with_kwargs=True)
    with ThreadPoolExecutor(2) as pool:
        short = pool.submit(engine.generate, ask("tell"), replace(GREEDY, max_new_tokens=400))
        wait_until_running(engine, [1, 0])
        long = pool.submit(engine.generate, ask("river " * 900), GREEDY)
        assert isinstance(long.exception(), EngineStoppedError)
        assert not short.done()
        is_dead.set()
        # The one that lives would do, but nobody would know when it does not.
        with pytest.raises(EngineStoppedError):
            engine.generate(ask("tell"), GREEDY)
        assert short.result().text
    assert told.wait(PATIENCE)
    engine.close()


def test_a_loop_that_works_alone_has_all_threads_and_none_is_left_over() -> None:
    asked: list[Callable[[], int]] = []

    def build(_: ContinuousBatchingConfig, share_threads: Callable[[], int]) -> GenerationLoop:
        asked.append(share_threads)
        return cast(GenerationLoop, SimpleNamespace(live={}))

    lanes = Lanes(build, [ContinuousBatchingConfig()] * 2, threads=5)
    assert [share() for share in asked] == [5, 5]
    lanes.loops[1].live["a"] = cast("Callable[..., object]", None)  # type: ignore[assignment]
    assert [share() for share in asked] == [5, 5]
    lanes.loops[0].live["b"] = cast("Callable[..., object]", None)  # type: ignore[assignment]
    assert [share() for share in asked] == [3, 2]


@pytest.mark.parametrize(
    ("settings", "threads", "slots", "context"),
    [
        ({}, 2, [8, 8], 4096),
        ({}, 1, [16], 4096),
        ({}, 64, [8, 8], 4096),
        ({"slots": 1}, 2, [1], 4096),
        ({"slots": 5}, 2, [3, 2], 4096),
        ({"lanes": 1}, 2, [16], 4096),
        # What one loop could answer is answered, so that two have to have room for it: of 67 sectors, one
        # that rounding to pages may take, and 2 unused.
        ({"kv_cache_gb": (2 * 70 * SECTOR + 1) / 2**30}, 2, [8, 8], 4096),
        ({"kv_cache_gb": 2 * 69 * SECTOR / 2**30}, 2, [16], 4096),
        # Of 38 sectors a request's window takes 3, and the others hold two pages each.
        ({"kv_cache_gb": 40 * SECTOR / 2**30}, 2, [16], 35 * 64),
        ({"kv_cache_gb": 40 * SECTOR / 2**30, "context_tokens": 600}, 2, [8, 8], 600),
        ({"kv_cache_gb": 40 * SECTOR / 2**30, "lanes": 2}, 1, [8, 8], 15 * 64),
    ],
)
def test_there_are_two_lanes_where_they_refuse_nobody(
    engine: Engine, settings: dict[str, float], threads: int, slots: list[int], context: int
) -> None:
    sizes = size_lanes(engine.weights, EngineConfig(weights="tiny", **settings), threads=threads)  # type: ignore[arg-type]
    assert [lane.max_requests_per_batch for lane in sizes.lanes] == slots
    assert sizes.context_tokens == context


def test_both_caches_together_must_fit_what_is_free(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engine.batching.sizing.measure_free_memory", lambda _: 16_000_000)
    config = EngineConfig(weights="tiny", kv_cache_gb=1.0)
    alone = size_lanes(engine.weights, config, threads=2)
    assert (len(alone.lanes), alone.context_tokens) == (1, 4096)
    both = size_lanes(engine.weights, replace(config, lanes=2), threads=2)
    assert len(both.lanes) == 2
    assert both.context_tokens < 4096 / 2


def test_weights_on_a_gpu_have_one_lane(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engine.batching.sizing.measure_free_memory", lambda _: 2**30)
    weights = replace(engine.weights, placement=replace(engine.weights.placement, device="cuda"))
    assert len(size_lanes(weights, EngineConfig(weights="tiny", lanes=2), threads=2).lanes) == 1


def test_a_cache_without_room_is_refused_for_good_only_if_it_was_asked_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedSettingError, match=r"1e-06 GiB holds 0 tokens .* raise kv_cache_gb"):
        size_lanes(engine.weights, EngineConfig(weights="tiny", kv_cache_gb=1e-6), threads=2)
    monkeypatch.setattr("workers.engine.batching.sizing.measure_free_memory", lambda _: 1_500_000)
    for config in (EngineConfig(weights="tiny"), EngineConfig(weights="tiny", kv_cache_gb=1.0)):
        with pytest.raises(InsufficientMemoryError, match=r"0\.00 GiB are free .* holds 0 tokens; free some memory"):
            size_lanes(engine.weights, config, threads=2)
