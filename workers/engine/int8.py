"""Linear layers in 8 bits on a CPU: weights quantized once, activations row by row as they come.

Torch's own dynamic quantization gives one scale to all rows of a batch, so what a request says depends on its batch
neighbours, and one outlier spoils the others. Here every row is scaled by its own largest value first, which makes its
quantized values independent of the batch. The product itself is FBGEMM's, on weights that are repacked once.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

# Largest quantized weight and activation; activations are unsigned for FBGEMM, so 128 stands for zero.
LARGEST = 127
ZERO_POINT = 128
# Keeps a row of zeros from being divided by zero.
SMALLEST_SCALE = 1e-12


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output, and int8 activations, one scale per row.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self._packed = pack_weight(weight)
        self._bias = bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        scale = rows.abs().amax(dim=-1, keepdim=True).clamp_min_(SMALLEST_SCALE)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows / scale, 1 / LARGEST, ZERO_POINT, self._packed
        ).mul_(scale)
        return product if self._bias is None else product.add_(self._bias)


def can_quantize() -> bool:
    """Return whether this build of torch has the 8-bit product for this CPU."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def quantize_linears(network: Any) -> None:
    """Replace every linear layer of a network, its head included, in place; embeddings stay as they are."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Int8Linear(child.weight.detach(), child.bias))


def pack_weight(weight: torch.Tensor) -> Any:
    """Return a weight (outputs, inputs) in int8 as FBGEMM wants it."""
    scales = weight.abs().amax(dim=1).clamp_min_(SMALLEST_SCALE).double() / LARGEST
    zeros = torch.zeros(weight.shape[0], dtype=torch.long)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            # Torch announces that quantized tensors will go; the version that still has them is pinned.
            warnings.simplefilter("ignore")
            quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(quantized, None)
    finally:
        torch.backends.quantized.engine = engine
