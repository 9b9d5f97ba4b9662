"""Who attends to what in one forward pass: the same for all layers that see as far back, so it is worked out once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

# Most speculative tokens of one request.
MAX_PROPOSED = 8
# Queries up to which requests are padded to one product: what a request has just written and what is guessed to follow.
MAX_DECODE_QUERIES = 1 + MAX_PROPOSED
# Keys that are read as fast as half of them.
SHORT = 512


@dataclass(frozen=True, slots=True)
class PrefillRequest:
    """A request that reads many tokens.

    Args:
        queries: its tokens in the batch.
        past: rows of the cache (past keys,) with what it has read before.
        mask: which keys (queries, keys) each query sees; None for all up to its own.
    """

    queries: slice
    past: torch.Tensor
    mask: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class DecodeGroup:
    """Requests with few queries each, padded to the most queries and the most keys among them.

    Args:
        queries: tokens in the batch (requests, most queries); a request's last one stands for what it lacks.
        keys: rows of the cache (requests, most keys); what a request lacks is hidden by the mask.
        mask: added to the scores (requests, 1, heads of a key head * most queries, most keys).
    """

    queries: torch.Tensor
    keys: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """All requests of a pass.

    Args:
        prompts: those that read.
        writers: those that write, in groups of about one shape.
        write_index: rows of the cache (query tokens,) that new keys go to.
    """

    prompts: list[PrefillRequest]
    writers: list[DecodeGroup]
    write_index: torch.Tensor


def find_plan(
    allocator: Any, options: dict[str, Any], *, window: int | None, dtype: torch.dtype, heads: int
) -> AttentionPlan:
    """Return the plan of a pass for the layers of one allocator, built by the first of them.

    Args:
        allocator: of the loop's cache.
        options: lengths and indices of the requests, as the loop passes them; ``plans`` keeps what was built.
        window: most keys that a query may see; None for all.
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
    """Return who attends to what.

    Args:
        query_ends: where the queries of each request end in the batch, from 0.
        key_ends: where its keys end in the index of rows to read, from 0.
        read_index: rows of the cache with the keys of all requests; of the new ones, the last of each, only the number
            counts. Empty if no request has read anything before.
        write_index: rows of the cache that new keys go to.
        window: most keys that a query may see; None for all.
        dtype: of the scores.
        heads: that share a key head.
    """
    prompts: list[PrefillRequest] = []
    writing: list[tuple[slice, torch.Tensor]] = []
    for (query_start, query_end), (key_start, key_end) in zip(pairwise(query_ends), pairwise(key_ends), strict=True):
        queries, count = slice(query_start, query_end), query_end - query_start
        past = read_index[key_start : key_end - count]
        if count <= MAX_DECODE_QUERIES:
            writing.append((queries, torch.cat((past, write_index[queries]))))
        else:
            is_whole = not len(past) and (window is None or count <= window)
            mask = None if is_whole else build_mask(count, key_end - key_start, window).to(read_index.device)
            prompts.append(PrefillRequest(queries, past, mask))
    groups = group_shapes([(queries.stop - queries.start, len(keys)) for queries, keys in writing])
    writers = [pad_decode([writing[place] for place in group], window, dtype, heads) for group in groups]
    return AttentionPlan(prompts, writers, write_index)


def pad_decode(
    requests: list[tuple[slice, torch.Tensor]], window: int | None, dtype: torch.dtype, heads: int
) -> DecodeGroup:
    """Return requests, each with its queries and the rows of its keys, padded to one shape."""
    counts = torch.tensor([[queries.stop - queries.start] for queries, _ in requests])
    steps = torch.arange(int(counts.max())).minimum(counts - 1)
    lengths = torch.tensor([len(keys) for _, keys in requests]).view(-1, 1, 1)
    # Where the last key of each query is: (requests, most queries, 1).
    last = lengths - counts.unsqueeze(1) + steps.unsqueeze(2)
    behind = last - torch.arange(int(lengths.max()))
    hidden = behind < 0 if window is None else (behind < 0) | (behind >= window)
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
    # Worked out on the CPU, whatever the device of the cache.
    places, device = torch.tensor([[queries.start] for queries, _ in requests]) + steps, requests[0][1].device
    return DecodeGroup(
        queries=places.to(device),
        keys=torch.nn.utils.rnn.pad_sequence([keys for _, keys in requests], batch_first=True),
        mask=mask.unsqueeze(1).expand(-1, heads, -1, -1).reshape(len(requests), 1, -1, mask.shape[-1]).to(device),
    )


def group_shapes(shapes: list[tuple[int, int]]) -> list[list[int]]:
    """Return the places of numbers of queries and keys that can be padded to the same.

    These are requests with one query or two, with a few, and with the most; of each the short ones, and those of about
    one length.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (queries, keys) in enumerate(shapes):
        groups[(queries - 1).bit_length() // 2, max(keys, SHORT).bit_length()].append(place)
    return list(groups.values())


def build_mask(queries: int, keys: int, window: int | None) -> torch.Tensor:
    """Return which keys (queries, keys) each of the last positions may see."""
    behind = torch.arange(keys - queries, keys).unsqueeze(1) - torch.arange(keys)
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)
