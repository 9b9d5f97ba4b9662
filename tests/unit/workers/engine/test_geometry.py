"""The geometry of each layer's cache, as the configs of real weights give it."""

from __future__ import annotations

from collections import Counter

import pytest
from transformers import (
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
)

from workers.engine.geometry import is_uniform, read_layers


def count_shapes(config: PreTrainedConfig) -> Counter[tuple[str, int, int, int | None]]:
    """Return the number of layers that keep keys of each shape."""
    layers = (layer for layer in read_layers(config) if not layer.is_shared)
    return Counter((layer.kind, layer.key_heads, layer.head_size, layer.window) for layer in layers)


def test_layers_with_full_attention_of_gemma_4_have_fewer_and_larger_heads() -> None:
    config = Gemma4TextConfig(
        num_hidden_layers=60,
        num_key_value_heads=16,
        num_global_key_value_heads=4,
        attention_k_eq_v=True,
        sliding_window=1024,
    )
    assert count_shapes(config) == {("sliding_attention", 16, 256, 1024): 50, ("full_attention", 4, 512, None): 10}
    assert not is_uniform(read_layers(config))
    assert sum(layer.numbers for layer in read_layers(config)) == 2 * (50 * 16 * 256 + 10 * 4 * 512)


def test_the_last_layers_of_gemma_3n_read_the_last_keys_of_their_kind_and_keep_none() -> None:
    layers = read_layers(Gemma3nTextConfig())
    assert count_shapes(Gemma3nTextConfig()) == {
        ("sliding_attention", 2, 256, 512): 16,
        ("full_attention", 2, 256, None): 4,
    }
    assert {(layer.kind, layer.source) for layer in layers if layer.is_shared} == {
        ("sliding_attention", 18),
        ("full_attention", 19),
    }
    assert [layer.source for layer in layers[:20]] == list(range(20))
    assert all(layer.numbers == 0 for layer in layers[20:])
    assert not is_uniform(layers)


@pytest.mark.parametrize("config", [Gemma3TextConfig(), LlamaConfig(num_key_value_heads=8), MistralConfig()])
def test_other_families_have_equal_heads_in_all_layers(config: PreTrainedConfig) -> None:
    layers = read_layers(config)
    assert is_uniform(layers)
    assert len(layers) == config.num_hidden_layers
    assert {layer.window for layer in layers if layer.kind == "full_attention"} <= {None}
    assert {layer.window for layer in layers if layer.kind == "sliding_attention"} <= {
        getattr(config, "sliding_window", None)
    }


def test_a_window_without_kinds_of_layers_is_that_of_all() -> None:
    assert {layer.window for layer in read_layers(MistralConfig(sliding_window=64))} == {64}
    assert {layer.window for layer in read_layers(MistralConfig(sliding_window=None))} == {None}


def test_layers_of_another_kind_of_attention_are_refused() -> None:
    config = LlamaConfig()
    config.layer_types = ["linear_attention"] * config.num_hidden_layers
    with pytest.raises(ValueError, match="linear_attention have no cache"):
        read_layers(config)
