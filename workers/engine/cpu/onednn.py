"""Linear layers on a CPU with weights in oneDNN's layout, reordered once, in float32 or bfloat16.

Torch's float32 products reorder the weights at every call, which for the few rows of a decode step costs more than the
product. In bfloat16 a layer rounds its inputs and outputs, and everything between the layers stays float32; only CPUs
with bfloat16 arithmetic are fast in it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from workers.engine.compat_torch import (
    has_bfloat16_instructions,
    has_bfloat16_onednn,
    multiply_reordered,
    multiply_reordered_by,
    reorder_weight,
)

# Rows that the layout is optimized for. A layout for many rows is as fast with few; the reverse takes up to twice as
# long (measured from 1 to 400 rows).
LAYOUT_ROWS = 256
# oneDNN compiles a product for every number of rows, and keeps 1,024 of them at 0.8 MB each. Rounded up to an eighth of
# the power of two below it, a number of rows is one of eight in every octave.
STEPS_PER_OCTAVE = 8


class OneDnnLinear(nn.Module):
    """Linear layer with weights in oneDNN's layout.

    Args:
        weight: (outputs, inputs), in the dtype to compute in.
        bias: (outputs,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.dtype = weight.dtype
        self._bias = None if bias is None else bias.to(weight.dtype)
        self._weight = reorder_weight(weight, LAYOUT_ROWS)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs), in the rows' dtype."""
        product = multiply_reordered(pad_rows(rows).to(self.dtype), self._weight, self._bias)
        return product[..., : rows.shape[-2], :].to(rows.dtype)

    def activate(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) after GELU (by tanh), fused with the product; rows have the layer's dtype."""
        product = multiply_reordered(pad_rows(rows), self._weight, self._bias, "gelu", "tanh")
        return product[..., : rows.shape[-2], :]

    def multiply(self, rows: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) times a factor of that shape, fused with the product; rows have the layer's dtype."""
        product = multiply_reordered_by(pad_rows(rows), pad_rows(factor), self._weight, self._bias)
        return product[..., : rows.shape[-2], :]


def round_up_rows(rows: int) -> int:
    """Return the number of rows that products are computed of, so that oneDNN compiles few of them."""
    step = max(1 << max(rows.bit_length() - 1, 0), STEPS_PER_OCTAVE) // STEPS_PER_OCTAVE
    return -(-rows // step) * step


def pad_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return rows (..., rows, inputs) with zeros behind them up to one of few numbers; the same if it is one already.

    Padding a batch once, before its first layer, is cheaper than padding the rows of every product.
    """
    padding = round_up_rows(rows.shape[-2]) - rows.shape[-2]
    return pad(rows, (0, 0, 0, padding)) if padding else rows


def has_onednn(dtype: torch.dtype) -> bool:
    """Return whether this build of torch has oneDNN and oneDNN supports the dtype on this CPU."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return False
    return dtype is torch.float32 or (dtype is torch.bfloat16 and has_bfloat16_onednn())


def has_native_bfloat16() -> bool:
    """Return whether this CPU computes in bfloat16 instead of emulating it."""
    return has_onednn(torch.bfloat16) and has_bfloat16_instructions()
