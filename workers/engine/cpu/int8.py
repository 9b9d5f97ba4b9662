"""Linear layers in 8 bits on a CPU: weights quantized once, activations row by row as they come.

Torch's own dynamic quantization gives one scale to all rows of a batch, so what a request says depends on its batch
neighbours, and one outlier spoils the others. Here every row is scaled by its own largest value, which makes its
quantized values independent of the batch. Channels whose activations are much larger than the others are made smaller
and their weights larger before (SmoothQuant, Xiao et al. 2023). The product itself is FBGEMM's, on weights that are
repacked once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.engine.compat_torch import multiply_int8, pack_int8
from workers.engine.cpu.half import use_fbgemm

# Largest quantized activation; they are unsigned for FBGEMM, so 128 stands for zero.
MAX_ACTIVATION = 127
ZERO_POINT = 128
# Largest quantized weight. On CPUs without VNNI two products are summed in 16 bits and cut off where they overflow:
# with the full 127 that costs more than the finer steps gain (error 0.020 against 0.013 at 640 inputs).
MAX_WEIGHT = 95
# Up to this none overflows on any CPU: (2 * 127 + 1) * 64 * 2 is less than 2 ** 15.
SAFE_WEIGHT = 64
# Outputs that are quantized at a time: several looks at what is still in the CPU's cache are four times as fast.
OUTPUTS_IN_CACHE = 1024
# Keeps what is all zeros from being divided by zero.
SMALLEST = 1e-6


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output, and int8 activations, one scale per row.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
        max_inputs: largest activation seen in each channel (inputs,); None to treat all channels alike.
        max_weight: the largest weight is quantized to; less is coarser and overflows less.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        max_inputs: torch.Tensor | None = None,
        *,
        max_weight: int = MAX_WEIGHT,
    ) -> None:
        super().__init__()
        smoothing = None if max_inputs is None else balance_channels(weight, max_inputs)
        self._packed = pack_weight(weight, smoothing, max_weight)
        self._shrink = None if smoothing is None else 1 / smoothing
        self._bias = bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        if self._shrink is not None:
            rows = rows * self._shrink
        scale = measure_max(rows, dim=-1).clamp_min_(SMALLEST)
        product = multiply_int8(rows / scale, self._packed, scale=1 / MAX_ACTIVATION, zero_point=ZERO_POINT).mul_(scale)
        return product if self._bias is None else product.add_(self._bias)


def measure_max(values: torch.Tensor, *, dim: int) -> torch.Tensor:
    """Return the largest absolute value along a dimension, which stays; several times faster than the infinity norm."""
    return torch.maximum(values.amax(dim, keepdim=True), values.amin(dim, keepdim=True).neg_())


def balance_channels(weight: torch.Tensor, max_inputs: torch.Tensor) -> torch.Tensor:
    """Return the factor (inputs,) by which each channel's weights grow and its activations shrink."""
    max_weights = measure_max(weight, dim=0).squeeze(0)
    factor = (max_inputs.clamp_min(SMALLEST) / max_weights.clamp_min(SMALLEST)).sqrt()
    return factor / factor.log().mean().exp()


def pack_weight(weight: torch.Tensor, smoothing: torch.Tensor | None, largest: int) -> Any:
    """Return a weight (outputs, inputs) in int8, up to a largest value, as FBGEMM wants it."""
    quantized, scales = torch.empty(weight.shape, dtype=torch.int8), weight.new_empty(len(weight), 1)
    pieces = (torch.split(whole, OUTPUTS_IN_CACHE) for whole in (weight, quantized, scales))
    for source, target, scale in zip(*pieces, strict=True):
        smoothed = source.clone() if smoothing is None else source * smoothing
        torch.div(measure_max(smoothed, dim=1).clamp_min_(SMALLEST), largest, out=scale)
        target.copy_(smoothed.div_(scale).round_())
    return pack_quantized(quantized, scales.squeeze(1).double())


def pack_quantized(quantized: torch.Tensor, scales: torch.Tensor) -> Any:
    """Return int8 weights (outputs, inputs) with one scale per output as FBGEMM wants them."""
    with use_fbgemm:
        return pack_int8(quantized, scales)
