"""Attention plan of one forward pass: each request's queries, keys and mask, built once for all layers of a kind.

Masks are computed on the device from the lengths alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch

from workers.engine.cache_rows import BatchRows, PageLayout, RequestSpan
from workers.engine.compat_transformers import get_page_layout, get_pages
from workers.engine.upload import upload

# Largest number of speculative tokens of one request.
MAX_PROPOSED = 8
# Queries up to which requests are padded to one product: the last token and the speculative ones.
MAX_DECODE_QUERIES = 1 + MAX_PROPOSED
# Keys that load as fast as half of them, so that fewer are no reason for another group.
SHORT_KEYS = 512
# Keys are padded to a multiple of this: kernels of a GPU would pad a mask of another width in every layer.
KEY_ALIGNMENT = 8


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
        is_one_group: whether the first group holds all tokens of the batch, in their order and without padding.
        write_index: rows of the cache (query tokens,) that new keys go to.
        shared_past: earlier keys and values of each prefill, by the layer that other layers share them with; the
            layer's new keys have overwritten them in the cache.
    """

    prefills: list[PrefillRequest]
    decode_groups: list[DecodeGroup]
    is_one_group: bool
    write_index: torch.Tensor
    shared_past: dict[int, list[tuple[torch.Tensor, ...]]] = field(default_factory=dict)


class PassPlans:
    """Plans of one forward pass, one for each kind of layers; the first layer of a kind builds it.

    Args:
        spans: requests of the forward pass, in the order of their tokens.
        device: of the cache.
    """

    def __init__(self, spans: Sequence[RequestSpan], device: torch.device) -> None:
        self._spans, self._device = spans, device
        self._plans: dict[int, AttentionPlan] = {}

    def find_plan(self, allocator: Any, *, window: int | None, dtype: torch.dtype, heads: int) -> AttentionPlan:
        """Return the plan for the layers of one allocator.

        Args:
            allocator: of the loop's cache.
            window: maximum number of keys that a query sees; None for all.
            dtype: of the scores.
            heads: that share a key head.
        """
        if allocator.index not in self._plans:
            self._plans[allocator.index] = build_plan(
                self._spans,
                [get_pages(allocator, span.id) for span in self._spans],
                PageLayout(*get_page_layout(allocator)),
                window=window,
                dtype=dtype,
                heads=heads,
                device=self._device,
            )
        return self._plans[allocator.index]


def build_plan(
    spans: Sequence[RequestSpan],
    pages: Sequence[Sequence[int]],
    layout: PageLayout,
    *,
    window: int | None,
    dtype: torch.dtype,
    heads: int,
    device: torch.device,
) -> AttentionPlan:
    """Return the plan for the requests of a batch.

    Args:
        spans: of the requests.
        pages: numbers of the pages of each request.
        layout: of the pages.
        window: maximum number of keys that a query sees; None for all.
        dtype: of the scores.
        heads: that share a key head.
        device: of the cache.
    """
    rows = BatchRows(spans, pages, layout, device)
    starts = list(accumulate((span.count for span in spans), initial=0))
    decoding = [index for index, span in enumerate(spans) if span.count <= MAX_DECODE_QUERIES]
    prefills = [
        plan_prefill(index, span, slice(start, start + span.count), rows, window)
        for index, (span, start) in enumerate(zip(spans, starts, strict=False))
        if span.count > MAX_DECODE_QUERIES
    ]
    groups = group_shapes([(spans[index].count, spans[index].count_keys(window)) for index in decoding])
    decode_groups = [pad_decode([decoding[place] for place in group], rows, window, dtype, heads) for group in groups]
    is_one_group = len(groups) == 1 and not prefills and len({span.count for span in spans}) == 1
    return AttentionPlan(prefills, decode_groups, is_one_group, rows.find_new_rows())


def plan_prefill(index: int, span: RequestSpan, queries: slice, rows: BatchRows, window: int | None) -> PrefillRequest:
    """Return the plan for one request that prefills."""
    past = span.count_past(window)
    positions = torch.arange(span.past - past, span.past, device=rows.device)
    is_whole = past == 0 and (window is None or span.count <= window)
    mask = None if is_whole else build_mask(span.count, past + span.count, window, device=rows.device)
    return PrefillRequest(queries, rows.find_rows(index, positions), mask)


def pad_decode(
    group: Sequence[int], rows: BatchRows, window: int | None, dtype: torch.dtype, heads: int
) -> DecodeGroup:
    """Return requests of a batch, given by their places, padded to one shape."""
    spans, device = [rows.spans[index] for index in group], rows.device
    requests = upload([[index] for index in group], device)  # (requests, 1)
    past, count, start = rows.past[requests], rows.count[requests], rows.start[requests]
    steps = torch.arange(max(span.count for span in spans), device=device).minimum(count - 1)
    longest = max(span.count_keys(window) for span in spans)
    first = past * 0 if window is None else (past - (window - 1)).clamp(min=0)
    positions = first + torch.arange(-(-longest // KEY_ALIGNMENT) * KEY_ALIGNMENT, device=device)
    # (requests, max queries, max keys); the padding comes after each query.
    distance = (past + steps).unsqueeze(2) - positions.unsqueeze(1)
    hidden = distance < 0 if window is None else (distance < 0) | (distance >= window)
    mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, -torch.inf)
    return DecodeGroup(
        queries=start + steps,
        keys=rows.find_rows(requests, positions.minimum(past + count - 1)),
        mask=mask.unsqueeze(1).expand(-1, heads, -1, -1).reshape(len(group), 1, -1, mask.shape[-1]),
    )


def group_shapes(shapes: list[tuple[int, int]]) -> list[list[int]]:
    """Return the indices of (queries, keys) shapes in groups to pad to one shape.

    Groups differ in queries (1 or 2, 3 to 8, 9) or in the power of two of their keys.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (queries, keys) in enumerate(shapes):
        groups[(queries - 1).bit_length() // 2, max(keys, SHORT_KEYS).bit_length()].append(index)
    return list(groups.values())


def build_mask(queries: int, keys: int, window: int | None, *, device: torch.device) -> torch.Tensor:
    """Return the mask (queries, keys) of the last positions, True where a query sees a key."""
    last = torch.arange(keys - queries, keys, device=device).unsqueeze(1)
    distance = last - torch.arange(keys, device=device)
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)
