"""The KV cache that is counted is the one that is allocated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GemmaConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
)
from transformers.generation.continuous_batching.distributed import DistributedHelper

from workers.engine.batching.cache_footprint import CacheFootprint, measure_cache, measure_pass
from workers.engine.batching.layer_cache import UNUSED_SECTORS, LayerCache
from workers.engine.batching.sizing import PAGE_TOKENS, LoopSizer, Machine, build_batching, choose_sizes
from workers.engine.config import EngineConfig
from workers.engine.geometry import read_layers

SIZES = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 8192,
}
MIXED = {
    "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 2,
    "sliding_window": 512,
}
SHARING = {**SIZES, **MIXED, "num_kv_shared_layers": 6, "vocab_size_per_layer_input": 64}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma": lambda: GemmaConfig(**SIZES),
    "gemma2": lambda: Gemma2Config(**SIZES, sliding_window=512),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, **MIXED),
    "gemma3n": lambda: Gemma3nTextConfig(**SHARING),
    "gemma4": lambda: Gemma4TextConfig(
        **SIZES, **MIXED, global_head_dim=32, num_global_key_value_heads=1, attention_k_eq_v=True
    ),
    "gemma4_small": lambda: Gemma4TextConfig(**SHARING, global_head_dim=32),
    "llama": lambda: LlamaConfig(**SIZES),
    "qwen3": lambda: Qwen3Config(**SIZES),
}


def count(config: PreTrainedConfig, itemsize: int = 4) -> CacheFootprint:
    return measure_cache(read_layers(config), itemsize=itemsize, page_tokens=PAGE_TOKENS["cpu"][0], spare=0)


def allocate(config: PreTrainedConfig, engine: EngineConfig, machine: Machine) -> tuple[LayerCache, int]:
    """Return the cache that transformers builds from the sizes, and the context that they promise."""
    sizes = choose_sizes(config, engine, machine, itemsize=4)
    batching = sizes.lanes[0]
    batching.max_blocks_per_request = 0
    cache = LayerCache(config, batching, "cpu", DistributedHelper(None, None), torch.float32, True)
    return cache, sizes.context_tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_bytes_of_a_sector_and_a_block_are_those_of_the_allocated_cache(family: str) -> None:
    config = FAMILIES[family]()
    cache, _ = allocate(config, EngineConfig(weights="x", lanes=1), Machine("cpu", 2**28, 2))
    counted = count(config)
    assert counted.sector_bytes == cache.bytes_per_sector
    assert list(counted.block_bytes) == [allocator.bytes_per_block for allocator in cache.cache_allocators.values()]
    assert counted.sector_rows == cache.tokens_per_sector


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("gigabytes", [0.001, 0.004, 0.03])
def test_the_cache_takes_what_it_may_and_the_context_is_the_longest_request_that_fits(
    family: str, gigabytes: float
) -> None:
    config = FAMILIES[family]()
    cache, context = allocate(
        config, EngineConfig(weights="x", lanes=1, kv_cache_gb=gigabytes), Machine("cpu", 2**32, 2)
    )
    assert cache.cache_tensor.nbytes <= gigabytes * 2**30
    allocators = cache.cache_allocators.values()

    def count_needed(tokens: int) -> int:
        return sum(allocator.needs_new_sectors("request", 0, tokens) for allocator in allocators)

    assert count_needed(context) <= cache.num_sectors
    if context < 8192:
        # Windows are counted with room for speculative tokens, a page more at most in each sector.
        assert count_needed(context + 2 * PAGE_TOKENS["cpu"][0] * cache.tokens_per_sector) > cache.num_sectors
        assert cache.cache_tensor.nbytes > 0.5 * gigabytes * 2**30


@pytest.mark.parametrize(
    ("family", "tokens_over_before"), [("gemma", 1.0), ("gemma2", 1.8), ("gemma3", 4.0), ("gemma3n", 8.0)]
)
def test_windows_and_shared_layers_leave_room_for_a_longer_context(family: str, tokens_over_before: float) -> None:
    config = FAMILIES[family]()
    every_layer = 2 * 12 * 2 * 16 * 4
    sectors = count(config).count_sectors(8192)
    assert 8192 * every_layer / (sectors * count(config).sector_bytes) >= tokens_over_before


def test_requests_share_sectors_of_a_kind() -> None:
    cache = CacheFootprint(block_bytes=(1280, 256), windows=(64, None), page_tokens=32)
    assert (cache.sector_bytes, cache.sector_rows) == (1280, 160)
    assert cache.count_sectors(32) == 2
    assert cache.count_sectors(1000) == 2 + 7
    # Two pages of each window, and 320 pages of the other kind in sectors of five.
    assert cache.count_sectors(1024, requests=10) == 20 + 64
    assert cache.find_context(9, longest=5000) == 7 * 160
    assert cache.find_context(9, longest=1000) == 1000
    assert cache.find_context(1, longest=1000) == 0


def test_a_forward_pass_is_shortened_before_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FAMILIES["gemma3"]()
    found = []
    for megabytes in (4000, 150, 25):
        machine = Machine("cuda", megabytes * 10**6, 2)
        sizes = choose_sizes(config, EngineConfig(weights="x"), machine, itemsize=2)
        found.append((sizes.lanes[0].max_batch_tokens, sizes.context_tokens))
    assert found[0] == (4096, 8192)
    assert 512 <= found[1][0] < 4096
    assert found[1][1] == 8192
    assert found[2][0] == 512
    assert found[2][1] < 8192


def test_a_gpu_has_as_many_slots_and_as_large_pages_as_its_memory_has_room_for() -> None:
    config, slots, pages = FAMILIES["gemma3"](), [], []
    for megabytes in (4000, 1000, 400, 150, 25):
        machine = Machine("cuda", megabytes * 10**6, 2)
        sizes = choose_sizes(config, EngineConfig(weights="x", slots=256), machine, itemsize=2)
        (batching,) = sizes.lanes
        slots.append(batching.max_requests_per_batch)
        pages.append(batching.page_size)
        if 16 < slots[-1] < 256:
            cache = measure_cache(read_layers(config), itemsize=2, page_tokens=batching.page_size, spare=8)
            allocated = batching.num_blocks * batching.page_size * 12 * 2 * 2 * 16 * 2 // cache.sector_bytes
            assert cache.count_sectors(2048, requests=slots[-1]) <= allocated
    assert slots[0] == 256
    assert slots[0] > slots[1] > slots[2] > slots[3] == slots[4] == 16
    assert (pages[0], pages[-1]) == (128, 32)


def test_what_is_allocated_on_a_gpu_fits_with_a_forward_pass() -> None:
    config, machine = FAMILIES["gemma3"](), Machine("cuda", 2 * 10**9, 2)
    sizer = LoopSizer(config, EngineConfig(weights="x", slots=16), machine, itemsize=4, page_tokens=32)
    loop = sizer.size_loop(1, 16)
    batching = build_batching(loop, slots=16)
    batching.max_blocks_per_request = 0
    cache = LayerCache(config, batching, "meta", DistributedHelper(None, None), torch.float32, True)
    work = measure_pass(read_layers(config), config, itemsize=4, tokens=loop.batch_tokens, requests=16)
    rows = cache.num_sectors * cache.tokens_per_sector
    allocated = cache.cache_tensor.nbytes + work.fixed + rows * work.row + loop.context_tokens * work.context_row
    assert cache.cache_tensor.nbytes < allocated < 0.85 * machine.free
    assert cache.num_sectors + UNUSED_SECTORS == cache.cache_tensor.nbytes // cache.bytes_per_sector
