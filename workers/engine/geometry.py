"""Geometry of the KV cache: what each decoder layer keeps of a token, from the config alone.

Layers differ: those with sliding attention keep a window, those of Gemma 4 with full attention have larger heads than
the others, and the last ones of Gemma 3n and of the small Gemma 4 read the keys of an earlier layer and keep nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

LayerKind = Literal["full_attention", "sliding_attention"]
KINDS = ("full_attention", "sliding_attention")


@dataclass(frozen=True, slots=True)
class LayerGeometry:
    """Geometry of one decoder layer.

    Args:
        kind: of its attention; all layers of a kind have equal heads.
        key_heads: heads of its keys and of its values.
        head_size: numbers of one head.
        window: maximum number of tokens whose keys it keeps; None for all.
        source: index of the layer whose keys and values it reads, its own unless they are shared.
        is_shared: whether the source is another layer, so that it keeps nothing.
    """

    kind: LayerKind
    key_heads: int
    head_size: int
    window: int | None
    source: int
    is_shared: bool

    @property
    def numbers(self) -> int:
        """Numbers that it keeps of one token, keys and values together."""
        return 0 if self.is_shared else 2 * self.key_heads * self.head_size


def read_layers(text_config: Any) -> list[LayerGeometry]:
    """Return the geometry of every layer of weights.

    Args:
        text_config: transformers' config of a text network.

    Raises:
        ValueError: a layer has another kind of attention, or differs from others of its kind.
    """
    layers: list[LayerGeometry] = []
    stored: dict[str, int] = {}
    shared = getattr(text_config, "kv_sharing_modes", None) or [None] * text_config.num_hidden_layers
    for index, (kind, mode) in enumerate(zip(read_kinds(text_config), shared, strict=True)):
        if kind not in KINDS:
            raise ValueError(f"layers with {kind} have no cache that requests can share")
        if mode != "reuse":
            stored[kind] = index
        # Resolved for the kind, which raises an error where layers of one kind differ.
        is_mixed = getattr(text_config, "is_heterogeneous", False)
        config = text_config.per_layer_config[kind] if is_mixed else text_config
        layers.append(
            LayerGeometry(
                kind=cast("LayerKind", kind),
                key_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
                head_size=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
                window=text_config.sliding_window if kind == "sliding_attention" else None,
                source=stored[kind],
                is_shared=mode == "reuse",
            )
        )
    return layers


def is_uniform(layers: Sequence[LayerGeometry]) -> bool:
    """Return whether every layer keeps keys of its own, and all of the same size."""
    return len({(layer.key_heads, layer.head_size, layer.is_shared) for layer in layers}) == 1


def read_kinds(text_config: Any) -> list[str]:
    """Return the kind of every layer's attention."""
    kinds = getattr(text_config, "layer_types", None)
    if kinds is not None:
        return list(kinds)
    is_sliding = getattr(text_config, "sliding_window", None) is not None
    return ["sliding_attention" if is_sliding else "full_attention"] * text_config.num_hidden_layers
