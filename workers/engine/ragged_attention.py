"""Attention over a ragged batch: each request attends to its own keys only.

The generation loop's batch is one row of tokens of many requests. Masked attention, which transformers runs without
flash kernels, computes every query against the keys of all requests: the work and the mask grow with the square of the
batch. Here each prefill is a dense product of its own, and requests that decode, with a few queries each, are padded to
one product: many small ones would leave most of a CPU or GPU idle.

It needs PyTorch alone, so it is the same on every device and right for every architecture: flash kernels take neither
heads of 512 (Gemma 4) nor a window that is a ring of rows, and are not installed everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from workers.engine.attention_plan import AttentionPlan, DecodeGroup, PassPlans, PrefillRequest
from workers.engine.capped_attention import attend_capped, attend_capped_batch
from workers.engine.compat_transformers import (
    PagedAttentionCache,
    get_token_views,
    sdpa_attention_forward,
    sdpa_mask,
)

# Must not contain "sdpa": transformers would take it for its own, which refuses weights with capped scores.
RAGGED = "ragged"


def attend_ragged(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    cache: Any = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of one layer; outside the generation loop and without a cap, that of transformers.

    Args:
        module: the attention layer.
        query: (1, heads, query tokens of all requests, head size). Padding may follow these tokens.
        key: (1, key heads, query tokens of all requests, head size).
        value: as key.
        attention_mask: used outside the loop only.
        scaling: factor on the scores.
        sliding_window: maximum number of keys that a query sees; None for all.
        softcap: bound that scores approach (Gemma 2); None for no cap.
        cache: the loop's cache, None outside the loop.
        options: ``plans`` of the forward pass, as the loop passes them.

    Returns:
        (1, query tokens of all requests, heads, head size), zeros for padding, and no weights.

    Raises:
        NotImplementedError: the layer has attention sinks.
    """
    if options.get("s_aux") is not None:
        raise NotImplementedError("its attention has sinks, which ragged attention does not support")
    if not isinstance(cache, PagedAttentionCache):
        if softcap is not None:
            return attend_capped_batch(query, key, value, attention_mask, scaling=scaling, softcap=softcap), None
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **options
        )
    plans = options["plans"]
    return attend_cached(module.layer_idx, query, key, value, cache, plans, sliding_window, scaling, softcap), None


def attend_cached(
    layer: int,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cache: Any,
    plans: PassPlans,
    window: int | None,
    scaling: float | None,
    softcap: float | None,
) -> torch.Tensor:
    """Return the attention (1, query tokens, heads, head size) of one layer over the loop's cache.

    A layer that shares another's keys gets their new ones, which that layer has stored. The other arguments are those
    of ``attend_ragged``.
    """
    source = cache.sources[layer]
    allocator = cache.layer_to_allocator[source]
    plan = plans.find_plan(allocator, window=window, dtype=query.dtype, heads=query.shape[1] // key.shape[1])
    stored = get_token_views(allocator, source)
    tokens, padding = len(plan.write_index), query.shape[2] - len(plan.write_index)
    # By token: (query tokens, heads, head size).
    query, *new = (rows[0, :, :tokens].transpose(0, 1) for rows in (query, key, value))
    if source == layer:
        past = store_keys(new, stored, plan)
        if source in cache.shared_sources:
            plan.shared_past[source] = past
    else:
        past = plan.shared_past[source]
    attended = attend_stored(query, new, stored, past, plan, scaling=scaling, softcap=softcap)
    return (pad(attended, (0, 0, 0, 0, 0, padding)) if padding else attended).unsqueeze(0)


def store_keys(
    new: Sequence[torch.Tensor], stored: Sequence[torch.Tensor], plan: AttentionPlan
) -> list[tuple[torch.Tensor, ...]]:
    """Store new keys and values; return the earlier ones (past keys, key heads, head size) of requests that prefill.

    Args:
        new: keys and values (query tokens, key heads, head size).
        stored: keys and values (rows, key heads, head size) of the cache, which take the new ones.
        plan: rows of each request.
    """
    # Before new keys overwrite those that have left the window.
    past = [tuple(cached.index_select(0, prefill.past) for cached in stored) for prefill in plan.prefills]
    for rows, cached in zip(new, stored, strict=True):
        cached.index_copy_(0, plan.write_index, rows)
    return past


def attend_stored(
    query: torch.Tensor,
    new: Sequence[torch.Tensor],
    stored: Sequence[torch.Tensor],
    past: Sequence[tuple[torch.Tensor, ...]],
    plan: AttentionPlan,
    *,
    scaling: float | None,
    softcap: float | None,
) -> torch.Tensor:
    """Return the attention (query tokens, heads, head size) of all requests.

    Args:
        query: (query tokens of all requests, heads, head size).
        new: keys and values (query tokens, key heads, head size), which are stored already.
        stored: keys and values (rows, key heads, head size) of the cache.
        past: earlier keys and values of each request that prefills.
        plan: rows of each request.
        scaling: factor on the scores.
        softcap: largest score; None for no cap.
    """
    if plan.is_one_group:
        return attend_decode(query, stored[0], stored[1], plan.decode_groups[0], scaling=scaling, softcap=softcap)
    output = query.new_empty(query.shape)
    for prefill, before in zip(plan.prefills, past, strict=True):
        keys, values = (torch.cat((old, rows[prefill.queries])) for old, rows in zip(before, new, strict=True))
        output[prefill.queries] = attend_prefill(
            query[prefill.queries], keys, values, prefill, scaling=scaling, softcap=softcap
        )
    for group in plan.decode_groups:
        places = group.queries.flatten()
        rows = query.index_select(0, places)
        attended = attend_decode(rows, stored[0], stored[1], group, scaling=scaling, softcap=softcap)
        output.index_copy_(0, places, attended)
    return output


def attend_prefill(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefill: PrefillRequest,
    *,
    scaling: float | None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Return the attention (queries, heads, head size) of one request that prefills.

    Args:
        query: (queries, heads, head size), the last of the keys' positions.
        key: (keys, key heads, head size).
        value: as key.
        prefill: mask of the request.
        scaling: factor on the scores.
        softcap: largest score; None for no cap.
    """
    queries, heads, size = query.shape
    keys, key_heads, _ = key.shape
    # Keys are never repeated in memory: heads that share them are the batch's second dimension.
    grouped = query.transpose(0, 1).reshape(key_heads, heads // key_heads, queries, size)
    shape = (*grouped.shape[:2], keys, size)
    shared_key, shared_value = (rows.transpose(0, 1).unsqueeze(1).expand(shape) for rows in (key, value))
    if softcap is None:
        attended = scaled_dot_product_attention(
            grouped, shared_key, shared_value, attn_mask=prefill.mask, is_causal=prefill.mask is None, scale=scaling
        )
    else:
        attended = attend_capped(grouped, shared_key, shared_value, prefill.mask, scaling=scaling, softcap=softcap)
    return attended.reshape(heads, queries, size).transpose(0, 1)


def attend_decode(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    group: DecodeGroup,
    *,
    scaling: float | None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Return the attention of a group of requests that decode, padded to one product.

    Args:
        query: (requests * max queries, heads, head size).
        keys: (rows, key heads, head size), of all requests and more.
        values: as keys.
        group: rows and mask of the requests.
        scaling: factor on the scores.
        softcap: largest score; None for no cap.

    Returns:
        (requests * max queries, heads, head size).
    """
    requests, queries = group.queries.shape
    _, heads, size = query.shape
    key_heads = keys.shape[1]
    # (requests, key heads, max keys, head size).
    key, value = (
        cached.index_select(0, group.keys.flatten()).view(requests, -1, key_heads, size).transpose(1, 2)
        for cached in (keys, values)
    )
    # Queries of heads that share a key head are rows of one product.
    rows = query.view(requests, queries, key_heads, -1, size)
    rows = rows.permute(0, 2, 3, 1, 4).reshape(requests, key_heads, -1, size)
    if softcap is not None:
        attended = attend_capped(rows, key, value, group.mask == 0, scaling=scaling, softcap=softcap)
    elif query.dtype is torch.float32:
        attended = attend_few(rows, key, value, group.mask, scaling=scaling)
    else:
        # Keeps the scores in float32.
        attended = scaled_dot_product_attention(rows, key, value, attn_mask=group.mask, scale=scaling)
    attended = attended.view(requests, key_heads, heads // key_heads, queries, size)
    return attended.permute(0, 3, 1, 2, 4).reshape(-1, heads, size)


def attend_few(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, *, scaling: float | None
) -> torch.Tensor:
    """Return the attention (requests, key heads, rows, head size) by plain products: faster for few rows on a CPU.

    Args:
        query: (requests, key heads, rows, head size).
        key: (requests, key heads, keys, head size).
        value: as key.
        mask: added to the scores (requests, 1, rows, keys).
        scaling: factor on the scores.
    """
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask = mask.expand(-1, key.shape[1], -1, -1)
    rows, keys, values, masks = (part.flatten(0, 1) for part in (query, key, value, mask))
    scores = torch.baddbmm(masks, rows, keys.transpose(1, 2), alpha=factor)
    return torch.bmm(scores.softmax(dim=-1), values).view(query.shape)


AttentionInterface.register(RAGGED, attend_ragged)
AttentionMaskInterface.register(RAGGED, sdpa_mask)
