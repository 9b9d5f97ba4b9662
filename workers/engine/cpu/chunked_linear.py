"""A wide linear layer as several narrower ones, so that it is packed piece by piece.

Packing the whole head of Gemma, a quarter of a million outputs, needs its weights in float32 and packed at one time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import nn

from workers.engine.cpu.memory import release_pages, trim_heap

# Makes a layer of a weight (outputs, inputs) and a bias (outputs,).
BuildLinear = Callable[[torch.Tensor, torch.Tensor | None], nn.Module]

# Outputs that are packed together: few layers but the head have more.
OUTPUTS_AT_ONCE = 16_384


class ChunkedLinear(nn.Module):
    """Linear layers with the same inputs, whose outputs are laid end to end.

    Args:
        layers: of each its module and how many outputs it has.
    """

    def __init__(self, layers: Sequence[tuple[nn.Module, int]]) -> None:
        super().__init__()
        self._layers = nn.ModuleList(layer for layer, _ in layers)
        self._sizes = [size for _, size in layers]

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs of all layers) of rows (..., inputs)."""
        outputs = rows.new_empty(*rows.shape[:-1], sum(self._sizes))
        for layer, target in zip(self._layers, torch.split(outputs, self._sizes, dim=-1), strict=True):
            target.copy_(layer(rows))
        return outputs


def build_linear(linear: nn.Linear, build: BuildLinear) -> nn.Module:
    """Return what ``build`` makes of a layer, stacked if the layer is wide; memory of the weights is given back."""

    def build_piece(start: int) -> tuple[nn.Module, int]:
        rows = slice(start, start + OUTPUTS_AT_ONCE)
        weight, bias = linear.weight.detach()[rows], None if linear.bias is None else linear.bias.detach()[rows]
        layer = build(weight, bias)
        release_pages(weight)
        if len(weight) < linear.out_features:
            trim_heap()
        return layer, len(weight)

    layers = pack_side_by_side(build_piece, range(0, linear.out_features, OUTPUTS_AT_ONCE))
    return layers[0][0] if len(layers) == 1 else ChunkedLinear(layers)


Item = TypeVar("Item")
Packed = TypeVar("Packed")

# More at a time would hold more weights twice.
MAX_AT_ONCE = 4

_thread = threading.local()


def pack_side_by_side(pack: Callable[[Item], Packed], items: Sequence[Item]) -> list[Packed]:
    """Return what is made of each item, in their order; as many are made at a time as torch has threads, or four."""
    at_once = min(torch.get_num_threads(), len(items), MAX_AT_ONCE)
    # The parts of an item that is packed beside others come one after the other.
    if at_once <= 1 or getattr(_thread, "is_packing", False):
        return [pack(item) for item in items]
    with ThreadPoolExecutor(at_once, initializer=setattr, initargs=(_thread, "is_packing", True)) as pool:
        return list(pool.map(pack, items))


def find_children(network: Any, kind: type[Any]) -> list[tuple[nn.Module, str, Any]]:
    """Return every module of a kind with its parent and its name there."""
    return [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind)
    ]
