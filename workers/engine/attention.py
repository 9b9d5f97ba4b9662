"""Attention over a ragged batch on a CPU: every request attends to its own keys only.

The batch of the generation loop is one long row of tokens of many requests. Attention with a mask, as transformers runs
it without flash kernels, computes every query against the keys of all requests and throws most of it away: the work and
the mask grow with the square of the batch. Here each request is a small dense product of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.generation.continuous_batching.cache import PagedAttentionCache
from transformers.generation.continuous_batching.cache_allocators import SlidingAttentionCacheAllocator
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

RAGGED = "ragged_sdpa"


def attend_ragged(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    cache: Any = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of one layer; outside the generation loop this is transformers' own.

    Args:
        module: the attention layer.
        query: (1, heads, query tokens of all requests, head size).
        key: (1, key heads, query tokens of all requests, head size).
        value: as key.
        attention_mask: used outside the loop only.
        scaling: factor on the scores.
        sliding_window: most keys that a query may see; None for all.
        cache: the loop's cache, None outside the loop.
        options: lengths and indices of the requests, as the loop passes them.
    """
    if not isinstance(cache, PagedAttentionCache):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **options
        )
    key, value = update_cache(cache, key, value, module.layer_idx, options)
    output = torch.empty_like(query)
    query_ends, key_ends = options["cu_seq_lens_q"].tolist(), options["cu_seq_lens_k"].tolist()
    for index in range(1, len(query_ends)):
        queries = slice(query_ends[index - 1], query_ends[index])
        keys = slice(key_ends[index - 1], key_ends[index])
        output[0, :, queries] = attend_request(
            query[0, :, queries], key[0, :, keys], value[0, :, keys], scaling=scaling, window=sliding_window
        )
    return output.transpose(1, 2), None


def update_cache(
    cache: PagedAttentionCache, key: torch.Tensor, value: torch.Tensor, layer: int, options: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Store a layer's new keys and values, and return those of each request's past and present.

    Does what ``cache.update`` does, but puts the new keys of a window at their places by index: the masked scatter of
    transformers runs on one core and takes as long as the attention itself.
    """
    allocator = cache.layer_to_allocator[layer]
    read_index = options["read_index"][allocator.index]
    if not isinstance(allocator, SlidingAttentionCacheAllocator) or not read_index.numel():
        return cache.update(key, value, layer, options)
    options["cu_seq_lens_k"] = options["cu_seq_lens_k"][allocator.layer_type]
    places = (read_index == allocator.sentinel_index).nonzero().squeeze(1)
    joined = []
    for new, stored in zip((key, value), allocator._kv_token_views[layer], strict=True):
        rows = new.squeeze(0).transpose(0, 1)
        joined.append(stored.index_select(0, read_index).index_copy_(0, places, rows).transpose(0, 1).unsqueeze(0))
        stored.index_copy_(0, options["write_index"][allocator.index], rows)
    return joined[0], joined[1]


def attend_request(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, scaling: float | None, window: int | None
) -> torch.Tensor:
    """Return the attention of one request.

    Args:
        query: (heads, queries, head size), the last of the keys' positions.
        key: (key heads, keys, head size).
        value: as key.
        scaling: factor on the scores.
        window: most keys that a query may see; None for all.

    Returns:
        (heads, queries, head size).
    """
    heads, queries, size = query.shape
    key_heads, keys, _ = key.shape
    if queries == 1:
        # Heads that share a key head are the rows of one product; without a batch in front, it would be a slower one.
        rows = query.reshape(1, key_heads, heads // key_heads, size)
        attended = scaled_dot_product_attention(rows, key.unsqueeze(0), value.unsqueeze(0), scale=scaling)
        return attended.reshape(heads, 1, size)
    grouped = query.reshape(key_heads, heads // key_heads, queries, size)
    # A view: keys are never repeated in memory.
    shape = (*grouped.shape[:2], keys, size)
    attended = scaled_dot_product_attention(
        grouped,
        key.unsqueeze(1).expand(shape),
        value.unsqueeze(1).expand(shape),
        attn_mask=build_mask(queries, keys, window),
        scale=scaling,
    )
    return attended.reshape(heads, queries, size)


def build_mask(queries: int, keys: int, window: int | None) -> torch.Tensor:
    """Return which keys (queries, keys) each of the last positions may see."""
    behind = torch.arange(keys - queries, keys).unsqueeze(1) - torch.arange(keys)
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)


AttentionInterface.register(RAGGED, attend_ragged)
AttentionMaskInterface.register(RAGGED, sdpa_mask)
