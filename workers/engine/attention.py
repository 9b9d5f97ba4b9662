"""Attention over a ragged batch on a CPU: every request attends to its own keys only.

The batch of the generation loop is one long row of tokens of many requests. Attention with a mask, as transformers runs
it without flash kernels, computes every query against the keys of all requests and throws most of it away: the work and
the mask grow with the square of the batch. Here each prompt is a dense product of its own, and requests that read one
token each, as all do once they write, are padded to one product: many small ones leave most of a CPU idle.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.generation.continuous_batching.cache import PagedAttentionCache
from transformers.generation.continuous_batching.cache_allocators import SlidingAttentionCacheAllocator
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

RAGGED = "ragged_sdpa"
# Keys that are read as fast as half of them.
SHORT = 512


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
    query_ends = options["cu_seq_lens_q"].tolist()
    if query.shape[2] == len(query_ends) - 1:
        return attend_writing(module, query, key, value, cache, options, scaling=scaling), None
    key, value = update_cache(cache, key, value, module.layer_idx, options)
    key_ends = options["cu_seq_lens_k"].tolist()
    output = torch.empty_like(query)
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


def attend_writing(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cache: PagedAttentionCache,
    options: dict[str, Any],
    *,
    scaling: float | None,
) -> torch.Tensor:
    """Return the attention of one layer if every request reads one token, the last that it has written.

    Args:
        module: the attention layer.
        query: (1, heads, requests, head size).
        key: (1, key heads, requests, head size).
        value: as key.
        cache: of the loop.
        options: lengths and indices of the requests, as the loop passes them.
        scaling: factor on the scores.

    Returns:
        (1, requests, heads, head size).
    """
    allocator = cache.layer_to_allocator[module.layer_idx]
    write_index, read_index = options["write_index"][allocator.index], options["read_index"][allocator.index]
    stored = allocator._kv_token_views[module.layer_idx]
    # What a new key of a window takes the place of has left the window.
    for new, rows in zip((key, value), stored, strict=True):
        rows.index_copy_(0, write_index, new[0].transpose(0, 1))
    ends = options["cu_seq_lens_k"][allocator.layer_type]
    starts, lengths = ends[:-1].unsqueeze(1), ends.diff().unsqueeze(1)
    output = query.new_empty(query.shape[2], *query.shape[1::2])
    for requests in group_lengths(lengths.flatten().tolist()):
        first, length = starts[requests], lengths[requests]
        steps = torch.arange(int(length.max()))
        # A request's own last key, which the mask hides, stands for those that only others have.
        own = read_index[first + steps.minimum(length - 1)]
        index = torch.where(steps < length - 1, own, write_index[requests].unsqueeze(1))
        output[requests] = attend_padded(
            query[0, :, requests], stored[0], stored[1], index, steps < length, scaling=scaling
        )
    return output.unsqueeze(0)


def group_lengths(lengths: list[int]) -> list[list[int]]:
    """Return the places of lengths that can be padded to the same: short ones, and those of about one length."""
    groups: dict[int, list[int]] = defaultdict(list)
    for place, length in enumerate(lengths):
        groups[max(length, SHORT).bit_length()].append(place)
    return list(groups.values())


def attend_padded(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    index: torch.Tensor,
    mask: torch.Tensor,
    *,
    scaling: float | None,
) -> torch.Tensor:
    """Return the attention of requests with one query each, in one product.

    Args:
        query: (heads, requests, head size).
        keys: (rows, key heads, head size), of all requests and more.
        values: as keys.
        index: the rows of each request, padded (requests, longest).
        mask: which of them are its own (requests, longest).
        scaling: factor on the scores.

    Returns:
        (requests, heads, head size).
    """
    heads, requests, size = query.shape
    key_heads = keys.shape[1]
    key, value = (
        each.index_select(0, index.flatten()).view(*index.shape, key_heads, size).transpose(1, 2)
        for each in (keys, values)
    )
    # Heads that share a key head are the rows of one product.
    rows = query.view(key_heads, heads // key_heads, requests, size).permute(2, 0, 1, 3)
    attended = scaled_dot_product_attention(rows, key, value, attn_mask=mask.view(requests, 1, 1, -1), scale=scaling)
    return attended.reshape(requests, heads, size)


def build_mask(queries: int, keys: int, window: int | None) -> torch.Tensor:
    """Return which keys (queries, keys) each of the last positions may see."""
    behind = torch.arange(keys - queries, keys).unsqueeze(1) - torch.arange(keys)
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)


AttentionInterface.register(RAGGED, attend_ragged)
AttentionMaskInterface.register(RAGGED, sdpa_mask)
