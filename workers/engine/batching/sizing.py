"""Sizes of the generation loops: their number, caches and batches, from slots, context, cores and free memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from transformers import ContinuousBatchingConfig

from workers.engine.config import EngineConfig
from workers.engine.cpu.memory import measure_free_memory
from workers.engine.errors import InsufficientMemoryError, UnsupportedSettingError
from workers.engine.geometry import read_layers
from workers.engine.loading import LoadedWeights

# Tokens of one cache page: small enough that a short request wastes little.
PAGE_TOKENS = 32
# Tokens of an average request: a chunk of a document with its prompt, and its summary.
USUAL_REQUEST_TOKENS = 2048
# Part of the free memory for the cache if kv_cache_gb is unset; the rest is for activations and other processes.
CACHE_SHARE = {"cuda": 0.7, "cpu": 0.25}
# Largest number of loops on a CPU unless configured (see ``lanes``).
MAX_LANES = 2
# Tokens of one forward pass. On a CPU a long one delays every other request's next token by seconds.
BATCH_TOKENS = {"cuda": 4096, "cpu": 256}
# Tokens below which a context holds no useful prompt and answer.
MIN_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all generation loops.

    Args:
        lanes: batch and cache settings of each loop.
        context_tokens: maximum of prompt and completion together, in tokens.
    """

    lanes: list[ContinuousBatchingConfig]
    context_tokens: int


def size_lanes(weights: LoadedWeights, config: EngineConfig, *, threads: int) -> Sizes:
    """Return the number of loops and the sizes of their batches and caches.

    Args:
        weights: the loaded weights.
        config: settings; unset ones are derived.
        threads: compute threads on a CPU.

    Raises:
        UnsupportedSettingError: the configured cache is too small for even a short request.
        InsufficientMemoryError: the cache's part of the free memory is.
    """
    device = weights.placement.device
    text_config = weights.network.config.get_text_config()
    longest = min(config.context_tokens or text_config.max_position_embeddings, text_config.max_position_embeddings)
    free = measure_free_memory(device)
    budget = free * CACHE_SHARE[device] if config.kv_cache_gb is None else config.kv_cache_gb * 2**30
    token_bytes = count_token_bytes(text_config, weights.placement.dtype.itemsize)
    capacity = int(budget / token_bytes)
    lanes = 1 if device != "cpu" else config.lanes or min(MAX_LANES, threads, config.slots)
    # Each cache alone is checked when it is built; all together are bounded here.
    bounded = capacity if lanes == 1 else min(capacity, free // token_bytes)
    pages = count_pages(config, lanes=lanes, longest=longest, capacity=bounded)
    # A second lane must not shorten the context.
    if config.lanes is None and lanes > 1 and (pages - 1) * PAGE_TOKENS < longest:
        lanes, pages = 1, count_pages(config, lanes=1, longest=longest, capacity=capacity)
    context = min(longest, (pages - 1) * PAGE_TOKENS)
    if context < MIN_CONTEXT and config.kv_cache_gb is not None:
        raise UnsupportedSettingError(
            f"a KV cache of {config.kv_cache_gb:g} GiB holds {capacity} tokens of these weights, too few for even a "
            "short request; raise kv_cache_gb (GISTMILL_KV_CACHE_GB)"
        )
    if context < MIN_CONTEXT:
        raise InsufficientMemoryError(
            f"the KV cache may take {budget / 2**30:.2f} GiB, which holds {max(capacity, 0)} tokens; free some memory"
        )
    slots = [config.slots // lanes + (lane < config.slots % lanes) for lane in range(lanes)]
    return Sizes([build_batching(config, device=device, slots=count, pages=pages) for count in slots], context)


def count_pages(config: EngineConfig, *, lanes: int, longest: int, capacity: int) -> int:
    """Return the cache pages of each loop; all caches together take ``capacity`` tokens at most."""
    slots = math.ceil(config.slots / lanes)
    # One more page per request, because requests never share a page.
    needed = max(longest, slots * min(longest, USUAL_REQUEST_TOKENS)) + slots * PAGE_TOKENS
    return math.ceil(min(needed, capacity // lanes) / PAGE_TOKENS)


def count_token_bytes(text_config: Any, itemsize: int) -> int:
    """Return the bytes of one token in the KV cache, over all layers."""
    return itemsize * sum(layer.numbers for layer in read_layers(text_config))


def build_batching(config: EngineConfig, *, device: str, slots: int, pages: int) -> ContinuousBatchingConfig:
    """Return the settings of transformers' continuous batching for one loop."""
    return ContinuousBatchingConfig(
        page_size=PAGE_TOKENS,
        num_blocks=pages,
        max_batch_tokens=config.batch_tokens or max(BATCH_TOKENS[device], slots),
        max_requests_per_batch=slots,
        max_memory_percent=0.9,
        # Each request is sampled in Python, between two forward passes.
        use_async_batching=False,
        use_cuda_graph=False,
    )
