"""How many loops there are and how large their caches and batches: from slots, context, cores and free memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from transformers import ContinuousBatchingConfig

from workers.engine.config import EngineConfig
from workers.engine.cpu.memory import measure_free_memory
from workers.engine.errors import InsufficientMemoryError, UnsupportedSettingError
from workers.engine.loading import LoadedWeights

# Tokens of one cache page: small enough that a short request wastes little.
PAGE_TOKENS = 32
# What a slot needs on average: a chunk of a document with its prompt, and its summary.
USUAL_REQUEST_TOKENS = 2048
# Part of the free memory that an unset kv_cache_gb may take; the rest is for activations and other processes.
CACHE_SHARE = {"cuda": 0.7, "cpu": 0.25}
# Loops side by side on a CPU, at most (see ``lanes``).
LANES = 2
# Tokens of one forward pass. On a CPU a long pass delays every other request's next token by seconds.
BATCH_TOKENS = {"cuda": 4096, "cpu": 256}
# A context below this cannot hold a prompt and an answer worth having.
MIN_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large everything is.

    Args:
        lanes: batch and cache of each generation loop.
        context_tokens: most tokens that prompt and completion may have together.
    """

    lanes: list[ContinuousBatchingConfig]
    context_tokens: int


def size_lanes(weights: LoadedWeights, config: EngineConfig, *, threads: int) -> Sizes:
    """Return how many loops there are and the sizes of their batches and caches.

    Args:
        weights: that they run.
        config: what is asked for.
        threads: to compute with on a CPU.

    Raises:
        UnsupportedSettingError: the cache that is asked for cannot hold even a short request.
        InsufficientMemoryError: nor can the part of the free memory that it may have.
    """
    device = weights.placement.device
    text_config = weights.network.config.get_text_config()
    longest = min(config.context_tokens or text_config.max_position_embeddings, text_config.max_position_embeddings)
    free = measure_free_memory(device)
    budget = free * CACHE_SHARE[device] if config.kv_cache_gb is None else config.kv_cache_gb * 2**30
    token_bytes = count_token_bytes(text_config, weights.placement.dtype.itemsize)
    held = int(budget / token_bytes)
    lanes = 1 if device != "cpu" else config.lanes or min(LANES, threads, config.slots)
    # Of each lane's cache alone it is seen later whether there is room for it.
    pages = count_pages(
        config, lanes=lanes, longest=longest, held=held if lanes == 1 else min(held, free // token_bytes)
    )
    # Nobody's request is refused so that others are faster.
    if config.lanes is None and lanes > 1 and (pages - 1) * PAGE_TOKENS < longest:
        lanes, pages = 1, count_pages(config, lanes=1, longest=longest, held=held)
    context = min(longest, (pages - 1) * PAGE_TOKENS)
    if context < MIN_CONTEXT and config.kv_cache_gb is not None:
        raise UnsupportedSettingError(
            f"a KV cache of {config.kv_cache_gb:g} GiB holds {held} tokens of these weights, too few for even a short "
            "request; raise kv_cache_gb (GISTMILL_KV_CACHE_GB)"
        )
    if context < MIN_CONTEXT:
        raise InsufficientMemoryError(
            f"the KV cache may take {budget / 2**30:.2f} GiB, which holds {max(held, 0)} tokens; free some memory"
        )
    slots = [config.slots // lanes + (place < config.slots % lanes) for place in range(lanes)]
    return Sizes([build_batching(config, device=device, slots=each, pages=pages) for each in slots], context)


def count_pages(config: EngineConfig, *, lanes: int, longest: int, held: int) -> int:
    """Return the pages of the cache of each of so many loops, if all caches together hold so many tokens at most."""
    slots = math.ceil(config.slots / lanes)
    # One spare page a request, because a page is never shared.
    wanted = max(longest, slots * min(longest, USUAL_REQUEST_TOKENS)) + slots * PAGE_TOKENS
    return math.ceil(min(wanted, held // lanes) / PAGE_TOKENS)


def count_token_bytes(text_config: Any, itemsize: int) -> int:
    """Return the bytes that one token takes in the cache, over all layers."""
    heads, head_dim = text_config.num_key_value_heads, text_config.head_dim
    return int(2 * text_config.num_hidden_layers * heads * head_dim * itemsize)


def build_batching(config: EngineConfig, *, device: str, slots: int, pages: int) -> ContinuousBatchingConfig:
    """Return the settings of transformers' continuous batching for one loop."""
    return ContinuousBatchingConfig(
        page_size=PAGE_TOKENS,
        num_blocks=pages,
        max_batch_tokens=config.batch_tokens or max(BATCH_TOKENS[device], slots),
        max_requests_per_batch=slots,
        max_memory_percent=0.9,
        # Each request's tokens are chosen in Python, between two passes.
        use_async_batching=False,
        use_cuda_graph=False,
    )
