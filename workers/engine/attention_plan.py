"""Attention plan of one forward pass: each request's queries, keys and mask, built once for all layers of a kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch

# Largest number of speculative tokens of one request.
MAX_PROPOSED = 8
# Queries up to which requests are padded to one product: the last token and the speculative ones.
MAX_DECODE_QUERIES = 1 + MAX_PROPOSED
# Keys that load as fast as half of them, so that fewer are no reason for another group.
SHORT_KEYS = 512


@dataclass(frozen=True, slots=True)
class PrefillRequest:
    """Prefill of one request.

    Args:
        queries: its tokens in the batch.
        past: rows of the cache (past keys,) with its earlier keys.
        mask: which keys (queries, keys) each query sees; None for all up to its own.
    """

    queries: slice
    past: torch.Tensor
    mask: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class DecodeGroup:
    """Requests that decode, with few queries each, padded to the most queries and keys among them.

    Args:
        queries: tokens in the batch (requests, max queries), padded with a request's last one.
        keys: rows of the cache (requests, max keys); the mask hides the padding.
        mask: added to the scores (requests, 1, heads of a key head * max queries, max keys).
    """

    queries: torch.Tensor
    keys: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """All requests of a forward pass.

    Args:
        prefills: requests that prefill.
        decode_groups: requests that decode, in groups of similar shape.
        write_index: rows of the cache (query tokens,) that new keys go to.
        shared_past: earlier keys and values of each prefill, by the layer that other layers share them with; the
            layer's new keys have overwritten them in the cache.
    """

    prefills: list[PrefillRequest]
    decode_groups: list[DecodeGroup]
    write_index: torch.Tensor
    shared_past: dict[int, list[tuple[torch.Tensor, ...]]] = field(default_factory=dict)


def find_plan(
    allocator: Any, options: dict[str, Any], *, window: int | None, dtype: torch.dtype, heads: int
) -> AttentionPlan:
    """Return the plan of a forward pass for the layers of one allocator; the first layer builds it.

    Args:
        allocator: of the loop's cache.
        options: lengths and indices of the requests, as the loop passes them; ``plans`` caches the plans.
        window: maximum number of keys that a query sees; None for all.
        dtype: of the scores.
        heads: that share a key head.
    """
    plans: dict[int, AttentionPlan] = options["plans"]
    if allocator.index not in plans:
        plans[allocator.index] = build_plan(
            query_ends=options["cu_seq_lens_q"].tolist(),
            key_ends=options["cu_seq_lens_k"][allocator.layer_type].tolist(),
            read_index=options["read_index"][allocator.index],
            write_index=options["write_index"][allocator.index],
            window=window,
            dtype=dtype,
            heads=heads,
        )
    return plans[allocator.index]


def build_plan(
    *,
    query_ends: list[int],
    key_ends: list[int],
    read_index: torch.Tensor,
    write_index: torch.Tensor,
    window: int | None,
    dtype: torch.dtype,
    heads: int,
) -> AttentionPlan:
    """Return the plan for the requests of a batch.

    Args:
        query_ends: cumulative numbers of queries, from 0.
        key_ends: cumulative numbers of keys, from 0.
        read_index: rows of the cache with the keys of all requests; the entries of new keys, last in each request, are
            placeholders. Empty if no request has earlier keys.
        write_index: rows of the cache that new keys go to.
        window: maximum number of keys that a query sees; None for all.
        dtype: of the scores.
        heads: that share a key head.
    """
    prefills: list[PrefillRequest] = []
    decoding: list[tuple[slice, torch.Tensor]] = []
    for (query_start, query_end), (key_start, key_end) in zip(pairwise(query_ends), pairwise(key_ends), strict=True):
        queries, count = slice(query_start, query_end), query_end - query_start
        past = read_index[key_start : key_end - count]
        if count <= MAX_DECODE_QUERIES:
            decoding.append((queries, torch.cat((past, write_index[queries]))))
        else:
            is_whole = not len(past) and (window is None or count <= window)
            mask = None if is_whole else build_mask(count, key_end - key_start, window).to(read_index.device)
            prefills.append(PrefillRequest(queries, past, mask))
    groups = group_shapes([(queries.stop - queries.start, len(keys)) for queries, keys in decoding])
    decode_groups = [pad_decode([decoding[index] for index in group], window, dtype, heads) for group in groups]
    return AttentionPlan(prefills, decode_groups, write_index)


def pad_decode(
    requests: list[tuple[slice, torch.Tensor]], window: int | None, dtype: torch.dtype, heads: int
) -> DecodeGroup:
    """Return requests, each with its queries and the rows of its keys, padded to one shape."""
    counts = torch.tensor([[queries.stop - queries.start] for queries, _ in requests])
    steps = torch.arange(int(counts.max())).minimum(counts - 1)
    lengths = torch.tensor([len(keys) for _, keys in requests]).view(-1, 1, 1)
    # Position of each query's last key: (requests, max queries, 1).
    last = lengths - counts.unsqueeze(1) + steps.unsqueeze(2)
    distance = last - torch.arange(int(lengths.max()))
    hidden = distance < 0 if window is None else (distance < 0) | (distance >= window)
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
    # Computed on the CPU, for a cache on any device.
    positions, device = torch.tensor([[queries.start] for queries, _ in requests]) + steps, requests[0][1].device
    return DecodeGroup(
        queries=positions.to(device),
        keys=torch.nn.utils.rnn.pad_sequence([keys for _, keys in requests], batch_first=True),
        mask=mask.unsqueeze(1).expand(-1, heads, -1, -1).reshape(len(requests), 1, -1, mask.shape[-1]).to(device),
    )


def group_shapes(shapes: list[tuple[int, int]]) -> list[list[int]]:
    """Return the indices of (queries, keys) shapes in groups to pad to one shape.

    Groups differ in queries (1 or 2, 3 to 8, 9) or in the power of two of their keys.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (queries, keys) in enumerate(shapes):
        groups[(queries - 1).bit_length() // 2, max(keys, SHORT_KEYS).bit_length()].append(index)
    return list(groups.values())


def build_mask(queries: int, keys: int, window: int | None) -> torch.Tensor:
    """Return the mask (queries, keys) of the last positions, True where a query sees a key."""
    distance = torch.arange(keys - queries, keys).unsqueeze(1) - torch.arange(keys)
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)
