"""Linear layers in half precision on a CPU: weights stored in 16 bits, repacked once; products computed in float32.

A CPU without native 16-bit arithmetic is a hundred times slower in it. FBGEMM widens the weights while it reads them,
so only the memory traffic is halved and results stay those of float32 to some four digits.
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
    """A linear layer with float16 weights that computes in float32.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        with use_fbgemm:
            self._packed = pack_float16(weight, bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        return multiply_float16(rows, self._packed)


def has_fbgemm() -> bool:
    """Return whether this build of torch has FBGEMM for this CPU."""
    return "fbgemm" in torch.backends.quantized.supported_engines


@contextmanager
def _choose_fbgemm() -> Iterator[None]:
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            # Torch announces that quantized tensors will go; the version that still has them is pinned.
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.quantized.engine = before


class _UseFbgemm:
    """The choice is one of the process, so the first thread that packs makes it and the last takes it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._choice = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._choice.enter_context(_choose_fbgemm())
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._choice.close()


# Packs weights for FBGEMM, whatever the engine of this CPU is by default.
use_fbgemm = _UseFbgemm()
