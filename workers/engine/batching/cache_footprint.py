"""Memory of the KV cache and of a forward pass of the loop, from the geometry of the layers.

Layers with a window keep only so many tokens of a request, and those that share another's keys keep none: a long
context takes memory in the layers with full attention alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.engine.attention_plan import MAX_DECODE_QUERIES
from workers.engine.footprint import FLOAT_BYTES, count_activation_bytes
from workers.engine.geometry import LayerGeometry

# Bytes that transformers aligns the sectors of a cache to.
SECTOR_ALIGNMENT = 128
# Bytes of the index of a cached token, which are in memory once for each kind of layers.
INDEX_BYTES = 8
# Capped scores in memory at a time beside their softmax in float32: as computed, capped and hidden by the mask.
SCORE_COPIES = 3
# Copies of the logits in float32: as computed, sorted, and as probabilities.
LOGIT_COPIES = 3


@dataclass(frozen=True, slots=True)
class CacheFootprint:
    """Memory of the paged KV cache, whose sectors are given out to the kinds of layers as requests need them.

    Args:
        block_bytes: of one page of tokens in all layers of a kind, for each kind.
        windows: maximum number of tokens of a request that each kind keeps; None for all.
        page_tokens: tokens of a page.
    """

    block_bytes: tuple[int, ...]
    windows: tuple[int | None, ...]
    page_tokens: int

    @property
    def sector_bytes(self) -> int:
        """Bytes of a sector, which blocks of any kind divide without a rest."""
        return math.lcm(*self.block_bytes, SECTOR_ALIGNMENT)

    @property
    def sector_rows(self) -> int:
        """Maximum number of tokens whose keys and values a sector takes, for the kind with the smallest blocks."""
        return self.sector_bytes // min(self.block_bytes) * self.page_tokens

    def count_sectors(self, tokens: int, *, requests: int = 1) -> int:
        """Return the sectors that requests of so many tokens each take together."""
        sectors = 0
        for block_bytes, window in zip(self.block_bytes, self.windows, strict=True):
            pages = math.ceil(min(tokens, window or tokens) / self.page_tokens)
            sectors += math.ceil(requests * pages * block_bytes / self.sector_bytes)
        return sectors

    def find_context(self, sectors: int, *, longest: int) -> int:
        """Return the tokens, at most ``longest``, of the longest request that so many sectors take."""
        if self.count_sectors(longest) <= sectors:
            return longest
        pages = range(1, math.ceil(longest / self.page_tokens))
        return self.page_tokens * bisect_right(
            pages, sectors, key=lambda count: self.count_sectors(count * self.page_tokens)
        )


def measure_cache(layers: Sequence[LayerGeometry], *, itemsize: int, page_tokens: int, spare: int) -> CacheFootprint:
    """Return the memory of the KV cache.

    Args:
        layers: of the weights; those that share another's keys take nothing.
        itemsize: bytes of a number.
        page_tokens: tokens of a page.
        spare: tokens by which the loop widens the windows.
    """
    kinds = {layer.kind: layer for layer in layers if not layer.is_shared}
    numbers = [sum(layer.numbers for layer in layers if layer.kind == kind) for kind in kinds]
    return CacheFootprint(
        tuple(page_tokens * itemsize * count for count in numbers),
        tuple(None if layer.window is None else layer.window + spare for layer in kinds.values()),
        page_tokens,
    )


@dataclass(frozen=True, slots=True)
class PassFootprint:
    """Memory of a forward pass of the loop beside weights and cache.

    Args:
        fixed: bytes whatever the cache holds.
        row: bytes for each token whose keys the cache can take.
        context_row: bytes for each token of the longest request.
    """

    fixed: int
    row: int
    context_row: int


def measure_pass(
    layers: Sequence[LayerGeometry], text_config: Any, *, itemsize: int, tokens: int, requests: int
) -> PassFootprint:
    """Return the memory of a forward pass.

    Args:
        layers: of the weights.
        text_config: transformers' config of the text network.
        itemsize: bytes of a number.
        tokens: maximum number of its tokens.
        requests: maximum number of its requests.
    """
    kinds, heads = len({layer.kind for layer in layers}), text_config.num_attention_heads
    keys, size = max(layer.numbers for layer in layers) * itemsize, max(layer.head_size for layer in layers)
    fixed = tokens * heads * size * itemsize + requests * text_config.vocab_size * LOGIT_COPIES * FLOAT_BYTES
    fixed += count_activation_bytes(text_config, tokens=tokens, positions=0, itemsize=itemsize)
    # Of requests that decode: their keys and values as gathered, with reordered heads on a CPU and padded to twice as
    # many at most on a GPU, and the scores of a few tokens.
    decode = 2 * keys + 2 * heads * MAX_DECODE_QUERIES * FLOAT_BYTES
    # Of one request that prefills: its earlier keys and values, joined to the new ones, and its mask or scores.
    is_capped = getattr(text_config, "attn_logit_softcapping", None) is not None
    scores = heads * (SCORE_COPIES * itemsize + FLOAT_BYTES) if is_capped else 1 + itemsize
    return PassFootprint(fixed, kinds * INDEX_BYTES + decode, 2 * keys + tokens * scores)
