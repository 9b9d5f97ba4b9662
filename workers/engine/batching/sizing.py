"""Sizes of the generation loops: their number, caches and batches, from slots, context, cores and free memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from transformers import ContinuousBatchingConfig

from workers.engine.attention_plan import MAX_DECODE_QUERIES
from workers.engine.batching.cache_footprint import measure_cache, measure_pass
from workers.engine.batching.layer_cache import UNUSED_SECTORS
from workers.engine.config import EngineConfig
from workers.engine.cpu.memory import measure_free_memory
from workers.engine.errors import InsufficientMemoryError, UnsupportedSettingError
from workers.engine.geometry import read_layers
from workers.engine.loading import LoadedWeights

# Tokens of one cache page: small enough that a short request wastes little.
PAGE_TOKENS = 32
# Tokens of an average request: a chunk of a document with its prompt, and its summary.
USUAL_REQUEST_TOKENS = 2048
# Part of the free memory for the caches if kv_cache_gb is unset, and for caches and forward passes together. The rest
# is for other processes, and on a GPU for what its allocator cannot use.
CACHE_SHARE = {"cuda": 0.85, "cpu": 0.25}
TOTAL_SHARE = {"cuda": 0.85, "cpu": 0.9}
# Largest number of loops on a CPU unless configured (see ``lanes``).
MAX_LANES = 2
# Tokens of one forward pass. On a CPU a long one delays every other request's next token by seconds.
BATCH_TOKENS = {"cuda": 4096, "cpu": 256}
# Tokens of one forward pass down to which it is halved where its masks would leave the cache too little memory.
MIN_BATCH_TOKENS = 512
# Tokens below which a context holds no useful prompt and answer.
MIN_CONTEXT = 64
# Switches off transformers' estimate, which adds masks and repeated keys that ragged attention never has.
UNLIMITED = 1e6


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all generation loops.

    Args:
        lanes: batch and cache settings of each loop.
        context_tokens: maximum of prompt and completion together, in tokens.
    """

    lanes: list[ContinuousBatchingConfig]
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Device, memory and threads that the sizes depend on, beside the settings.

    Args:
        device: ``cpu`` or ``cuda``.
        free: bytes of its free memory.
        threads: compute threads on a CPU.
    """

    device: str
    free: int
    threads: int


def size_lanes(weights: LoadedWeights, config: EngineConfig, *, threads: int) -> Sizes:
    """Return the number of loops and the sizes of their batches and caches; raises as ``choose_sizes`` does.

    Args:
        weights: the loaded weights.
        config: settings; unset ones are derived.
        threads: compute threads on a CPU.
    """
    text_config, device = weights.network.config.get_text_config(), weights.placement.device
    return choose_sizes(
        text_config,
        config,
        Machine(device, measure_free_memory(device), threads),
        itemsize=weights.placement.dtype.itemsize,
    )


def choose_sizes(text_config: Any, config: EngineConfig, machine: Machine, *, itemsize: int) -> Sizes:
    """Return the number of loops and the sizes of their batches and caches.

    Args:
        text_config: transformers' config of the text network.
        config: settings; unset ones are derived.
        machine: device and free memory.
        itemsize: bytes of a number of the cache.

    Raises:
        UnsupportedSettingError: the configured cache is too small for even a short request.
        InsufficientMemoryError: the cache's part of the free memory is.
    """
    sizer = LoopSizer(text_config, config, machine, itemsize=itemsize)
    lanes = 1 if machine.device != "cpu" else config.lanes or min(MAX_LANES, machine.threads, config.slots)
    loop = sizer.size_loop(lanes)
    # A second lane must not shorten the context.
    if config.lanes is None and lanes > 1 and loop.context_tokens < sizer.longest:
        lanes, loop = 1, sizer.size_loop(1)
    if loop.context_tokens < MIN_CONTEXT and sizer.find_configured_context(lanes) < MIN_CONTEXT:
        raise UnsupportedSettingError(
            f"a KV cache of {config.kv_cache_gb:g} GiB holds {loop.context_tokens} tokens of these weights, too few "
            "for even a short request; raise kv_cache_gb (GISTMILL_KV_CACHE_GB)"
        )
    if loop.context_tokens < MIN_CONTEXT:
        raise InsufficientMemoryError(
            f"{machine.free / 2**30:.2f} GiB are free beside the weights, and the part for the KV cache and forward "
            f"passes holds {loop.context_tokens} tokens; free some memory"
        )
    slots = [config.slots // lanes + (lane < config.slots % lanes) for lane in range(lanes)]
    return Sizes([build_batching(loop, slots=count) for count in slots], loop.context_tokens)


@dataclass(frozen=True, slots=True)
class LoopSizes:
    """Sizes of one generation loop.

    Args:
        batch_tokens: maximum number of tokens of a forward pass.
        pages: of the cache, each with tokens of all layers.
        context_tokens: maximum of prompt and completion together that the cache takes.
    """

    batch_tokens: int
    pages: int
    context_tokens: int


class LoopSizer:
    """Chooses the sizes of one loop of several.

    Args:
        text_config: transformers' config of the text network.
        config: settings; unset ones are derived.
        machine: device and free memory.
        itemsize: bytes of a number of the cache.
    """

    def __init__(self, text_config: Any, config: EngineConfig, machine: Machine, *, itemsize: int) -> None:
        most = text_config.max_position_embeddings
        self.longest = min(config.context_tokens or most, most)
        self._text_config, self._config, self._machine = text_config, config, machine
        self._layers, self._itemsize = read_layers(text_config), itemsize
        self._cache = measure_cache(
            self._layers, itemsize=itemsize, page_tokens=PAGE_TOKENS, spare=MAX_DECODE_QUERIES - 1
        )

    def size_loop(self, lanes: int) -> LoopSizes:
        """Return the sizes of each of so many loops, with the longest forward pass that leaves it its memory."""
        slots, cache = math.ceil(self._config.slots / lanes), self._cache
        usual = cache.count_sectors(min(self.longest, USUAL_REQUEST_TOKENS), requests=slots)
        needed = max(cache.count_sectors(self.longest), usual)
        for tokens in self._list_batch_tokens(slots):
            capacity = self._count_capacity(tokens, slots=slots, lanes=lanes)
            if capacity >= needed:
                break
        # Never more than all requests together can use.
        wanted = max(min(capacity, cache.count_sectors(self.longest, requests=slots)), 0)
        page_bytes = PAGE_TOKENS * self._itemsize * sum(layer.numbers for layer in self._layers)
        # transformers takes a number of pages, and rounds it up to sectors.
        pages = math.ceil(wanted * cache.sector_bytes / page_bytes)
        if math.ceil(pages * page_bytes / cache.sector_bytes) > max(capacity, 0):
            pages = wanted * cache.sector_bytes // page_bytes
        allocated = math.ceil(pages * page_bytes / cache.sector_bytes)
        return LoopSizes(tokens, pages, cache.find_context(allocated, longest=self.longest))

    def find_configured_context(self, lanes: int) -> int:
        """Return the tokens of a request that the configured cache takes however much memory is free."""
        if self._config.kv_cache_gb is None:
            return self.longest
        sectors = int(self._config.kv_cache_gb * 2**30 / lanes / self._cache.sector_bytes) - UNUSED_SECTORS
        return self._cache.find_context(sectors, longest=self.longest)

    def _list_batch_tokens(self, slots: int) -> list[int]:
        """Return the lengths of a forward pass to try, the longest first."""
        if self._config.batch_tokens is not None:
            return [self._config.batch_tokens]
        longest = BATCH_TOKENS[self._machine.device]
        halvings = range(max(longest // MIN_BATCH_TOKENS, 1).bit_length())
        return [max(longest >> halving, slots) for halving in halvings]

    def _count_capacity(self, tokens: int, *, slots: int, lanes: int) -> int:
        """Return the sectors of each loop's cache for which there is memory; below 0 if there is none at all."""
        machine, cache = self._machine, self._cache
        work = measure_pass(
            self._layers,
            self._text_config,
            itemsize=self._itemsize,
            tokens=tokens,
            requests=slots,
        )
        gigabytes, rows = self._config.kv_cache_gb, cache.sector_rows
        budget = machine.free * CACHE_SHARE[machine.device] if gigabytes is None else gigabytes * 2**30
        left = machine.free * TOTAL_SHARE[machine.device] / lanes - work.fixed
        sector = cache.sector_bytes + rows * work.row
        # Either the longest request is shorter than the cache, or it is as long.
        total = max((left - self.longest * work.context_row) / sector, left / (sector + rows * work.context_row))
        return int(min(budget / lanes / cache.sector_bytes, total)) - UNUSED_SECTORS


def build_batching(loop: LoopSizes, *, slots: int) -> ContinuousBatchingConfig:
    """Return the settings of transformers' continuous batching for one loop."""
    return ContinuousBatchingConfig(
        page_size=PAGE_TOKENS,
        num_blocks=loop.pages,
        max_batch_tokens=loop.batch_tokens,
        max_requests_per_batch=slots,
        max_memory_percent=UNLIMITED,
        # Each request is sampled in Python, between two forward passes.
        use_async_batching=False,
        use_cuda_graph=False,
    )
