"""A wide linear layer as several narrower ones, so that it is packed piece by piece.

Packing the whole head of Gemma, a quarter of a million outputs, needs its weights in float32 and packed at one time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from workers.engine.packing import pack_side_by_side
from workers.engine.pages import release_pages, trim_heap

# Makes a layer of a weight (outputs, inputs) and a bias (outputs,).
BuildLinear = Callable[[torch.Tensor, torch.Tensor | None], nn.Module]

# Outputs that are packed together: few layers but the head have more.
OUTPUTS_AT_ONCE = 16_384


class StackedLinear(nn.Module):
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
    return layers[0][0] if len(layers) == 1 else StackedLinear(layers)
