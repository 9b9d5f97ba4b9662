"""Wide linear layers split into chunks of outputs, so that weights are packed one chunk at a time.

Packing Gemma's head (262,144 outputs) as a whole would hold all its weights in float32 and packed at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import nn

from workers.engine.cpu.memory import release_pages, trim_heap

# Builds a layer from a weight (outputs, inputs) and a bias (outputs,).
BuildLinear = Callable[[torch.Tensor, torch.Tensor | None], nn.Module]

# Maximum outputs of a chunk; few layers but the head have more.
CHUNK_OUTPUTS = 16_384


class ChunkedLinear(nn.Module):
    """Linear layer that concatenates the outputs of several layers over the same inputs.

    Args:
        layers: each layer with its number of outputs.
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
    """Build the replacement of a linear layer, in chunks if it is wide, and release the pages of its weights."""

    def build_chunk(start: int) -> tuple[nn.Module, int]:
        rows = slice(start, start + CHUNK_OUTPUTS)
        weight, bias = linear.weight.detach()[rows], None if linear.bias is None else linear.bias.detach()[rows]
        layer = build(weight, bias)
        release_pages(weight)
        if len(weight) < linear.out_features:
            trim_heap()
        return layer, len(weight)

    layers = map_in_threads(build_chunk, range(0, linear.out_features, CHUNK_OUTPUTS))
    return layers[0][0] if len(layers) == 1 else ChunkedLinear(layers)


Item = TypeVar("Item")
Result = TypeVar("Result")

# While an item is packed, memory holds its weights twice.
MAX_THREADS = 4

_thread = threading.local()


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply a function to every item in as many threads as torch has, up to four; return the results in order."""
    threads = min(torch.get_num_threads(), len(items), MAX_THREADS)
    # A nested call must not multiply the threads.
    if threads <= 1 or getattr(_thread, "is_worker", False):
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads, initializer=setattr, initargs=(_thread, "is_worker", True)) as pool:
        return list(pool.map(function, items))


def find_places(network: Any, kind: type[Any]) -> list[tuple[nn.Module, str]]:
    """Return the parent and the name there of every module of a class.

    The modules themselves are left out: a list of them would keep all that are replaced in memory.
    """
    return [
        (parent, name)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind)
    ]
