"""Linear layers on a CPU with float16 weights, packed once, and products in float32.

A CPU without native 16-bit arithmetic is a hundred times slower in it. FBGEMM converts the weights to float32 as it
loads them: memory traffic is halved, and results match float32 to about four digits.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from workers.engine.compat_torch import multiply_float16, pack_float16


class Float16Linear(nn.Module):
    """Linear layer with float16 weights that computes in float32.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        with use_fbgemm:
            self._weight = pack_float16(weight, bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        return multiply_float16(rows, self._weight)


def has_fbgemm() -> bool:
    """Return whether this build of torch has FBGEMM for this CPU."""
    return "fbgemm" in torch.backends.quantized.supported_engines


@contextmanager
def _select_fbgemm() -> Iterator[None]:
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            # Torch warns that quantized tensors are deprecated; the pinned version has them.
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.quantized.engine = before


class _UseFbgemm:
    """Process-wide selection of FBGEMM: the first of concurrent threads sets it, the last restores the default."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._selection = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._selection.enter_context(_select_fbgemm())
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._selection.close()


# Context that packs weights for FBGEMM even if torch defaults to another engine on this CPU.
use_fbgemm = _UseFbgemm()
