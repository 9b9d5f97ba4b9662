"""Paged KV cache of layers that differ: one geometry for each kind, and nothing for layers that share another's keys.

The cache of transformers has one head size and one number of key heads for all layers, and keeps keys of every layer.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch

from workers.engine.compat_transformers import (
    ALLOCATORS,
    CachePool,
    PagedAttentionCache,
    PagedAttentionMemoryHandler,
    get_attention,
)
from workers.engine.geometry import LayerGeometry, is_uniform, read_layers
from workers.engine.ragged_attention import RAGGED

# Bytes that transformers aligns the sectors of a cache to.
ALIGNMENT = 128
# Sectors at the start of a cache that take the keys of padding.
UNUSED_SECTORS = 2


class LayerCache(PagedAttentionCache):
    """Cache of the generation loop, with a geometry for each kind of layers; that of transformers if all are equal.

    Args:
        config: transformers' config of the text network.
        continuous_batching_config: number and size of the pages; a page holds tokens of all layers.
        device: of the cache.
        distributed_helper: of networks that are split by heads, which the engine does not serve.
        dtype: of keys and values.
        model_supports_logits_to_keep: whether the network computes logits of selected tokens alone.

    Raises:
        MemoryError: it does not fit the device.
    """

    def __init__(
        self,
        config: Any,
        continuous_batching_config: Any,
        device: torch.device | str,
        distributed_helper: Any,
        dtype: torch.dtype = torch.float16,
        model_supports_logits_to_keep: bool = False,
    ) -> None:
        layers = read_layers(config)
        # Index of the layer whose keys each layer reads.
        self.sources = [layer.source for layer in layers]
        self.shared_sources = frozenset(layer.source for layer in layers if layer.is_shared)
        if is_uniform(layers):
            super().__init__(
                config, continuous_batching_config, device, distributed_helper, dtype, model_supports_logits_to_keep
            )
            return
        self.config, self.dtype, self.device = config, dtype, device
        self.max_blocks_per_request = 0
        self.allow_block_sharing = continuous_batching_config.allow_block_sharing
        self._build_allocators(layers, continuous_batching_config)
        block_bytes = continuous_batching_config.page_size * dtype.itemsize * sum(layer.numbers for layer in layers)
        self.bytes_per_sector = math.lcm(*(kind.bytes_per_block for kind in self.cache_allocators.values()), ALIGNMENT)
        self.tokens_per_sector = max(
            self.bytes_per_sector // kind.bytes_per_block * kind.tokens_per_page
            for kind in self.cache_allocators.values()
        )
        largest = max(range(len(layers)), key=lambda index: layers[index].head_size)
        self.max_batch_tokens, self.num_sectors = PagedAttentionMemoryHandler(
            config=config.per_layer_config[largest],
            cb_config=continuous_batching_config,
            dtype=dtype,
            bytes_per_sector=self.bytes_per_sector,
            tokens_per_sector=self.tokens_per_sector,
            bytes_per_block=block_bytes,
            attn_types=list(self.cache_allocators),
            model_supports_logits_to_keep=model_supports_logits_to_keep,
        ).infer_max_batch_tokens_and_num_sectors()
        self.num_blocks = self.num_sectors * self.bytes_per_sector // block_bytes
        self._allocate()
        self.use_prefix_sharing = self.allow_block_sharing and all(
            kind.use_block_sharing for kind in self.cache_allocators.values()
        )
        self.read_cache_limit = self._infer_read_cache_limit()
        self.max_decode_fast_path_length = 0
        self.max_tokens_read = max(kind.tokens_per_page * kind.num_blocks for kind in self.cache_allocators.values())

    def extend_read_and_write_indices(self, *arguments: Any) -> None:
        """List no rows for ragged attention, which computes them from the pages on the device (see ``cache_rows``)."""
        if get_attention(self.config) != RAGGED:
            super().extend_read_and_write_indices(*arguments)

    def _build_allocators(self, layers: list[LayerGeometry], batching: Any) -> None:
        """Build what gives out the pages of each kind of layers; layers that share another's keys have none."""
        indices: dict[str, list[int]] = defaultdict(list)
        for index, layer in enumerate(layers):
            if not layer.is_shared:
                indices[layer.kind].append(index)
        self.cache_allocators = {
            kind: ALLOCATORS[kind](
                index=position,
                config=self.config.per_layer_config[kind],
                num_key_value_heads=layers[stored[0]].key_heads,
                cache_dtype=self.dtype,
                page_size=batching.page_size,
                layer_indices=stored,
                allow_block_sharing=self.allow_block_sharing,
            )
            for position, (kind, stored) in enumerate(indices.items())
        }
        self.layer_to_allocator = {
            index: self.cache_allocators[layer.kind] for index, layer in enumerate(layers) if not layer.is_shared
        }

    def _allocate(self) -> None:
        size = self.num_sectors * self.bytes_per_sector
        self.cache_tensor = torch.zeros(
            size + UNUSED_SECTORS * self.bytes_per_sector, dtype=torch.uint8, device=self.device
        )
        self.pool = CachePool(self.num_sectors, len(self.cache_allocators))
        for allocator in self.cache_allocators.values():
            allocator.register_cache_tensor(self.bytes_per_sector, size, self.cache_tensor, self.pool)
