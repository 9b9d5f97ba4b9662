"""Attention over a ragged batch on a CPU: every request attends to its own keys only.

The batch of the generation loop is one long row of tokens of many requests. Attention with a mask, as transformers runs
it without flash kernels, computes every query against the keys of all requests and throws most of it away: the work and
the mask grow with the square of the batch. Here each prompt is a dense product of its own, and requests with a few
queries each, as all have once they write, are padded to one product: many small ones leave most of a CPU idle.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from workers.engine.attention_plan import DecodeGroup, PrefillRequest, find_plan
from workers.engine.compat_transformers import (
    PagedAttentionCache,
    get_token_views,
    sdpa_attention_forward,
    sdpa_mask,
)

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

    Returns:
        (1, query tokens of all requests, heads, head size), and no weights.
    """
    if not isinstance(cache, PagedAttentionCache):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **options
        )
    allocator = cache.layer_to_allocator[module.layer_idx]
    plan = find_plan(allocator, options, window=sliding_window, dtype=query.dtype, heads=query.shape[1] // key.shape[1])
    stored = get_token_views(allocator, module.layer_idx)
    # By token: (query tokens, heads, head size).
    query, *new = (each[0].transpose(0, 1) for each in (query, key, value))
    # Read before the new keys take the places of those that have left the window.
    past = [[each.index_select(0, prompt.past) for each in stored] for prompt in plan.prompts]
    for rows, cached in zip(new, stored, strict=True):
        cached.index_copy_(0, plan.write_index, rows)
    output = query.new_empty(query.shape)
    for prompt, before in zip(plan.prompts, past, strict=True):
        keys, values = (torch.cat((old, rows[prompt.queries])) for old, rows in zip(before, new, strict=True))
        output[prompt.queries] = attend_prefill(query[prompt.queries], keys, values, prompt, scaling=scaling)
    for writers in plan.writers:
        attended = attend_decode(query, stored[0], stored[1], writers, scaling=scaling)
        output.index_copy_(0, writers.queries.flatten(), attended)
    return output.unsqueeze(0), None


def attend_prefill(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, prompt: PrefillRequest, *, scaling: float | None
) -> torch.Tensor:
    """Return the attention (queries, heads, head size) of one request that reads its prompt.

    Args:
        query: (queries, heads, head size), the last of the keys' positions.
        key: (keys, key heads, head size).
        value: as key.
        prompt: which keys each query sees.
        scaling: factor on the scores.
    """
    queries, heads, size = query.shape
    keys, key_heads, _ = key.shape
    # Keys are never repeated in memory: heads that share them are the batch's second dimension.
    grouped = query.transpose(0, 1).reshape(key_heads, heads // key_heads, queries, size)
    shape = (*grouped.shape[:2], keys, size)
    attended = scaled_dot_product_attention(
        grouped,
        key.transpose(0, 1).unsqueeze(1).expand(shape),
        value.transpose(0, 1).unsqueeze(1).expand(shape),
        attn_mask=prompt.mask,
        is_causal=prompt.mask is None,
        scale=scaling,
    )
    return attended.reshape(heads, queries, size).transpose(0, 1)


def attend_decode(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, writers: DecodeGroup, *, scaling: float | None
) -> torch.Tensor:
    """Return the attention of requests with few queries each, padded to one product.

    Args:
        query: (query tokens of all requests, heads, head size).
        keys: (rows, key heads, head size), of all requests and more.
        values: as keys.
        writers: which rows are whose.
        scaling: factor on the scores.

    Returns:
        (requests * most queries, heads, head size).
    """
    requests, queries = writers.queries.shape
    _, heads, size = query.shape
    key_heads = keys.shape[1]
    # By key head of a request: (requests * key heads, most keys, head size).
    key, value = (
        each.index_select(0, writers.keys.flatten()).view(requests, -1, key_heads, size).transpose(1, 2).flatten(0, 1)
        for each in (keys, values)
    )
    # Queries of heads that share a key head are the rows of one product.
    rows = query.index_select(0, writers.queries.flatten()).view(requests, queries, key_heads, -1, size)
    rows = rows.permute(0, 2, 3, 1, 4).reshape(requests * key_heads, -1, size)
    mask = writers.mask.expand(-1, key_heads, -1, -1).flatten(0, 1)
    # So few rows are attended to faster by plain products than by torch's own attention.
    scores = torch.baddbmm(mask, rows, key.transpose(1, 2), alpha=size**-0.5 if scaling is None else scaling)
    attended = torch.bmm(scores.softmax(dim=-1), value)
    attended = attended.view(requests, key_heads, heads // key_heads, queries, size)
    return attended.permute(0, 3, 1, 2, 4).reshape(-1, heads, size)


AttentionInterface.register(RAGGED, attend_ragged)
AttentionMaskInterface.register(RAGGED, sdpa_mask)
