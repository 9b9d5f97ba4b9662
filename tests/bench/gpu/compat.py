"""Gives an older transformers the few names of 5.23 that the engine uses, so that the benchmark runs on 5.17 too.

The engine itself needs the version that it declares. A GPU machine without a network has what it has, and on the path
that a GPU takes the two versions differ in names alone.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import transformers
from transformers.generation.continuous_batching import cache, continuous_api


def adapt_transformers() -> list[str]:
    """Add the names that are missing, and return them; call this before anything of ``workers.engine`` is imported."""
    added = []
    if not _has_module("cache_allocators"):
        from transformers.generation.continuous_batching import cache_manager

        sys.modules[f"{_package()}.cache_allocators"] = cache_manager
        added.append("cache_allocators")
    if "page_size" not in {field.name for field in dataclasses.fields(transformers.ContinuousBatchingConfig)}:
        transformers.ContinuousBatchingConfig = name_page_size(transformers.ContinuousBatchingConfig)
        _count_blocks_of_all_layers(cache)
        added.append("ContinuousBatchingConfig.page_size")
    if not hasattr(transformers.ContinuousBatchingConfig, "auto_switch_to_flash"):
        _ignore_auto_switch(continuous_api.ContinuousBatchingManager)
        added.append("switch_to_cb_friendly_attn.auto_switch_to_flash")
    if not hasattr(cache.PagedAttentionCache, "compute_free_capacity"):
        cache.PagedAttentionCache.compute_free_capacity = lambda self: self.get_num_free_blocks() / self.num_blocks
        added.append("PagedAttentionCache.compute_free_capacity")
    return added


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


def _ignore_auto_switch(manager: Any) -> None:
    original = manager.switch_to_cb_friendly_attn
    manager.switch_to_cb_friendly_attn = lambda self, model, auto_switch_to_flash=True: original(self, model)


def _count_blocks_of_all_layers(cache: Any) -> None:
    """Let ``num_blocks`` count blocks that hold tokens of all layers: those of 5.17 are of one group of layers each."""
    original = cache.PagedAttentionCache.__init__

    def initialize(self: Any, config: Any, continuous_batching_config: Any, *rest: Any, **options: Any) -> None:
        if continuous_batching_config.num_blocks is not None:
            groups, _types = cache.group_layers_by_attn_type(config)
            continuous_batching_config.num_blocks *= len(groups)
        original(self, config, continuous_batching_config, *rest, **options)

    cache.PagedAttentionCache.__init__ = initialize
