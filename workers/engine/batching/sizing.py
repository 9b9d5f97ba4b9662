"""Sizes of the generation loops: their number, caches and batches, from slots, context, cores and free memory."""

from __future__ import annotations

import math
from bisect import bisect_right
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

# Tokens of one cache page, of which the first is taken that leaves room for the longest request: with large pages fewer
# numbers are uploaded to a GPU in every step, and more of a request's last page is empty.
PAGE_TOKENS = {"cuda": (128, 32), "cpu": (32,)}
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
# Slots that a GPU has however little memory; of more, as many as its cache has room for at the usual length.
MIN_SLOTS = 16
# Tokens of one forward pass down to which it is halved where it would leave the cache too little memory.
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
    for page_tokens in PAGE_TOKENS[machine.device]:
        sizer = LoopSizer(text_config, config, machine, itemsize=itemsize, page_tokens=page_tokens)
        sizes = sizer.size_all()
        if sizes.context_tokens == sizer.longest:
            break
    if sizes.context_tokens < MIN_CONTEXT and sizer.find_configured_context(len(sizes.lanes)) < MIN_CONTEXT:
        raise UnsupportedSettingError(
            f"a KV cache of {config.kv_cache_gb:g} GiB holds {sizes.context_tokens} tokens of these weights, too few "
            "for even a short request; raise kv_cache_gb (GISTMILL_KV_CACHE_GB)"
        )
    if sizes.context_tokens < MIN_CONTEXT:
        raise InsufficientMemoryError(
            f"{machine.free / 2**30:.2f} GiB are free beside the weights, and the part for the KV cache and forward "
            f"passes holds {sizes.context_tokens} tokens; free some memory"
        )
    return sizes


@dataclass(frozen=True, slots=True)
class LoopSizes:
    """Sizes of one generation loop.

    Args:
        batch_tokens: maximum number of tokens of a forward pass.
        page_tokens: tokens of a page.
        pages: of the cache, each with tokens of all layers.
        context_tokens: maximum of prompt and completion together that the cache takes.
    """

    batch_tokens: int
    page_tokens: int
    pages: int
    context_tokens: int


class LoopSizer:
    """Chooses the sizes of one loop of several.

    Args:
        text_config: transformers' config of the text network.
        config: settings; unset ones are derived.
        machine: device and free memory.
        itemsize: bytes of a number of the cache.
        page_tokens: tokens of a page.
    """

    def __init__(
        self, text_config: Any, config: EngineConfig, machine: Machine, *, itemsize: int, page_tokens: int
    ) -> None:
        most = text_config.max_position_embeddings
        self.longest = min(config.context_tokens or most, most)
        self._text_config, self._config, self._machine = text_config, config, machine
        self._layers, self._itemsize = read_layers(text_config), itemsize
        self._page_tokens = page_tokens
        self._cache = measure_cache(
            self._layers, itemsize=itemsize, page_tokens=page_tokens, spare=MAX_DECODE_QUERIES - 1
        )

    def size_all(self) -> Sizes:
        """Return the number of loops and the sizes of each."""
        config, machine = self._config, self._machine
        slots = config.slots if machine.device == "cpu" else self.count_slots()
        lanes = 1 if machine.device != "cpu" else config.lanes or min(MAX_LANES, machine.threads, slots)
        loop = self.size_loop(lanes, slots)
        # A second lane must not shorten the context.
        if config.lanes is None and lanes > 1 and loop.context_tokens < self.longest:
            lanes, loop = 1, self.size_loop(1, slots)
        shares = [slots // lanes + (lane < slots % lanes) for lane in range(lanes)]
        return Sizes([build_batching(loop, slots=share) for share in shares], loop.context_tokens)

    def count_slots(self) -> int:
        """Return the slots of a GPU: those that are configured, or as many as have memory beside a long pass."""
        most, usual = self._config.slots, min(self.longest, USUAL_REQUEST_TOKENS)
        tokens = self._list_batch_tokens(most)[0]
        capacity = self._count_capacity(tokens, slots=most, lanes=1)
        room = bisect_right(
            range(1, most + 1), capacity, key=lambda slots: self._cache.count_sectors(usual, requests=slots)
        )
        return max(room, min(most, MIN_SLOTS))

    def size_loop(self, lanes: int, slots: int) -> LoopSizes:
        """Return the sizes of each of so many loops, with the longest forward pass that leaves it its memory.

        Args:
            lanes: number of loops.
            slots: of all loops together.
        """
        slots, cache = math.ceil(slots / lanes), self._cache
        usual = cache.count_sectors(min(self.longest, USUAL_REQUEST_TOKENS), requests=slots)
        needed = max(cache.count_sectors(self.longest), usual)
        for tokens in self._list_batch_tokens(slots):
            capacity = self._count_capacity(tokens, slots=slots, lanes=lanes)
            if capacity >= needed:
                break
        # Never more than all requests together can use.
        wanted = max(min(capacity, cache.count_sectors(self.longest, requests=slots)), 0)
        page_bytes = self._page_tokens * self._itemsize * sum(layer.numbers for layer in self._layers)
        # transformers takes a number of pages, and rounds it up to sectors.
        pages = math.ceil(wanted * cache.sector_bytes / page_bytes)
        if math.ceil(pages * page_bytes / cache.sector_bytes) > max(capacity, 0):
            pages = wanted * cache.sector_bytes // page_bytes
        allocated = math.ceil(pages * page_bytes / cache.sector_bytes)
        return LoopSizes(tokens, self._page_tokens, pages, cache.find_context(allocated, longest=self.longest))

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
        page_size=loop.page_tokens,
        num_blocks=loop.pages,
        max_batch_tokens=loop.batch_tokens,
        max_requests_per_batch=slots,
        max_memory_percent=UNLIMITED,
        # Stop strings, deadlines and the ends of requests are found on the host, between two forward passes.
        use_async_batching=False,
        use_cuda_graph=False,
    )
