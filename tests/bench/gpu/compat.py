"""Gives an older transformers the names of 5.23 that the engine uses, so that the benchmark runs on 5.17 too.

The engine itself needs the version that it declares. A GPU machine without a network has what it has, and where all
layers have heads of one size the versions differ in names alone: in 5.17 groups of layers share the pages of a cache.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any

import transformers
from transformers.generation.continuous_batching import cache, continuous_api


def adapt_transformers() -> list[str]:
    """Add the names that are missing, and return them; call this before anything of ``workers.engine`` is imported."""
    added = []
    if not _has_module("cache_allocators"):
        from transformers.generation.continuous_batching import cache_manager

        # Of layers that differ, which 5.17 does not serve.
        cache_manager.CachePool = None
        cache.ATTN_TYPE_TO_ALLOCATOR = {}
        sys.modules[f"{_package()}.cache_allocators"] = cache_manager
        added.append("cache_allocators")
        # With the loop comes a cache of its own.
        from workers.engine.batching import loop

        loop.install_cache_class(name_allocators(cache.PagedAttentionCache))
    if "page_size" not in {field.name for field in dataclasses.fields(transformers.ContinuousBatchingConfig)}:
        # The package may have replaced its own module since it was imported above.
        sys.modules["transformers"].ContinuousBatchingConfig = name_page_size(transformers.ContinuousBatchingConfig)
        _count_blocks_of_all_layers(cache)
        added.append("ContinuousBatchingConfig.page_size")
    if not hasattr(cache.PagedAttentionCache, "compute_free_capacity"):
        cache.PagedAttentionCache.compute_free_capacity = lambda self: self.get_num_free_blocks() / self.num_blocks
        added.append("PagedAttentionCache.compute_free_capacity")
    return added


def name_allocators(base: type) -> type:
    """Return a kind of cache that gives its groups of layers the names by which 5.23 knows them."""

    class GroupedCache(base):
        def __init__(self, config: Any, *rest: Any, **options: Any) -> None:
            super().__init__(config, *rest, **options)
            self.sources, self.shared_sources = list(range(config.num_hidden_layers)), frozenset()
            self.cache_allocators = dict(enumerate(self.group_cache_managers))
            self.layer_to_allocator = {}
            for allocator in self.group_cache_managers:
                allocator.index, allocator._kv_token_views = allocator._index, {}
                allocator.tokens_per_page = allocator.block_physical_stride = self.block_size
                allocator.write_trash_index = self.write_trash_index
            for layer, (group, place) in self.layer_index_to_group_indices.items():
                allocator = self.group_cache_managers[group]
                self.layer_to_allocator[layer] = allocator
                allocator._kv_token_views[layer] = self.key_cache[place], self.value_cache[place]

        def extend_read_and_write_indices(self, *arguments: Any) -> None:
            if self.config._attn_implementation != "ragged":
                super().extend_read_and_write_indices(*arguments)

        def _infer_read_cache_limit(self) -> None:
            """Count the pages of windows again, which are longer now."""
            for allocator in self.group_cache_managers:
                if hasattr(allocator, "sliding_window"):
                    allocator._max_blocks_per_request = math.ceil(allocator.sliding_window / self.block_size)
                    self.max_sliding_window_blocks_per_request = allocator._max_blocks_per_request

    return GroupedCache


def name_page_size(config: type) -> type:
    """Return a kind of settings that takes ``page_size`` for what it calls ``block_size``."""

    class PageSizedConfig(config):
        def __init__(self, *, page_size: int = 256, **options: Any) -> None:
            super().__init__(block_size=page_size, **options)

    return PageSizedConfig


def _package() -> str:
    return continuous_api.__name__.rpartition(".")[0]


def _has_module(name: str) -> bool:
    from importlib.util import find_spec

    return f"{_package()}.{name}" in sys.modules or find_spec(f"{_package()}.{name}") is not None


def _count_blocks_of_all_layers(cache: Any) -> None:
    """Let ``num_blocks`` count blocks that hold tokens of all layers: those of 5.17 are of one group of layers each."""
    original = cache.PagedAttentionCache.__init__

    def initialize(self: Any, config: Any, continuous_batching_config: Any, *rest: Any, **options: Any) -> None:
        if continuous_batching_config.num_blocks is not None:
            groups, _types = cache.group_layers_by_attn_type(config)
            continuous_batching_config.num_blocks *= len(groups)
        original(self, config, continuous_batching_config, *rest, **options)

    cache.PagedAttentionCache.__init__ = initialize
