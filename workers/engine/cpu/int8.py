"""Linear layers in int8 on a CPU: weights quantized once, activations quantized row by row.

Torch's dynamic quantization has one scale for all rows of a batch, so a request's result depends on the other requests,
and an outlier costs all of them precision. Here every row has its own scale. Channels with large activations are first
scaled down and their weights up (SmoothQuant, Xiao et al. 2023). The product is computed from packed weights, by
oneDNN where it sums products of int8 in 32 bits (VNNI), else by FBGEMM.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from workers.engine.compat_torch import multiply_int8, multiply_reordered_int8, pack_int8, reorder_int8
from workers.engine.cpu.half import use_fbgemm
from workers.engine.cpu.onednn import pad_rows

# Largest quantized activation; both libraries take unsigned values, so 128 stands for zero.
MAX_ACTIVATION = 127
ZERO_POINT = 128
# Largest quantized weight where nothing saturates.
MAX_EXACT_WEIGHT = 127
# Rows that oneDNN's layout is optimized for.
LAYOUT_ROWS = 16
# Largest quantized weight. CPUs without VNNI sum two products in 16 bits, which saturate: with 127 that costs more than
# the finer steps gain (error 0.020 against 0.013 at 640 inputs).
MAX_WEIGHT = 95
# Largest quantized weight that saturates on no CPU: (2 * 127 + 1) * 64 * 2 is less than 2 ** 15.
SAFE_WEIGHT = 64
# Outputs per block of quantization: four times as fast as the whole weight, because a block stays in the CPU's cache.
OUTPUTS_IN_CACHE = 1024
# Lower bound of a scale, for rows and channels of zeros.
MIN_SCALE = 1e-6

# Returns float32 (..., outputs) of rows (..., inputs) from -1 to 1.
Multiply = Callable[[torch.Tensor], torch.Tensor]


class Int8Linear(nn.Module):
    """Linear layer with int8 weights, one scale per output, and int8 activations, one scale per row.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
        max_inputs: largest observed activation of each channel (inputs,); None for no smoothing.
        max_weight: largest quantized weight where sums saturate; a smaller one is coarser and saturates less.
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
        self._multiply = make_product(weight, smoothing, max_weight)
        self._input_scale = None if smoothing is None else 1 / smoothing
        self._bias = bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        if self._input_scale is not None:
            rows = rows * self._input_scale
        scale = measure_max(rows, dim=-1).clamp_min_(MIN_SCALE)
        product = self._multiply(rows / scale).mul_(scale)
        return product if self._bias is None else product.add_(self._bias)


def measure_max(values: torch.Tensor, *, dim: int) -> torch.Tensor:
    """Return the absolute maximum along a dimension, which is kept; several times faster than the infinity norm."""
    return torch.maximum(values.amax(dim, keepdim=True), values.amin(dim, keepdim=True).neg_())


def balance_channels(weight: torch.Tensor, max_inputs: torch.Tensor) -> torch.Tensor:
    """Return SmoothQuant's factors (inputs,), which multiply the weights and divide the activations."""
    max_weights = measure_max(weight, dim=0).squeeze(0)
    factor = (max_inputs.clamp_min(MIN_SCALE) / max_weights.clamp_min(MIN_SCALE)).sqrt()
    return factor / factor.log().mean().exp()


@lru_cache
def has_exact_int8() -> bool:
    """Return whether oneDNN sums products of int8 in 32 bits on this CPU, by a product that saturates 16 bits."""
    rows, weight = torch.full((1, 64), 255, dtype=torch.uint8), torch.full((16, 64), 127, dtype=torch.int8)
    try:
        product = multiply_reordered_int8(rows, reorder_int8(weight, LAYOUT_ROWS), torch.ones(16), zero_point=0)
    except (AttributeError, RuntimeError):
        # This build of torch has no oneDNN, or not for this CPU.
        return False
    return bool((product == 255 * 127 * 64).all())


def make_product(weight: torch.Tensor, smoothing: torch.Tensor | None, max_weight: int) -> Multiply:
    """Quantize and pack a weight (outputs, inputs), and return its product with rows (..., inputs) from -1 to 1."""
    if has_exact_int8():
        quantized, scales = quantize_weight(weight, smoothing, MAX_EXACT_WEIGHT)
        reordered, scales = reorder_int8(quantized, LAYOUT_ROWS), scales / MAX_ACTIVATION

        def multiply_by_onednn(rows: torch.Tensor) -> torch.Tensor:
            unsigned = (pad_rows(rows) * MAX_ACTIVATION).add_(ZERO_POINT).round_().to(torch.uint8)
            product = multiply_reordered_int8(unsigned, reordered, scales, zero_point=ZERO_POINT)
            return product[..., : rows.shape[-2], :]

        return multiply_by_onednn
    with use_fbgemm:
        packed = pack_int8(*quantize_weight(weight, smoothing, max_weight))
    return lambda rows: multiply_int8(rows, packed, scale=1 / MAX_ACTIVATION, zero_point=ZERO_POINT)


def quantize_weight(
    weight: torch.Tensor, smoothing: torch.Tensor | None, max_weight: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a weight (outputs, inputs) in int8, up to ``max_weight``, and the scale of each output (outputs,)."""
    quantized, scales = torch.empty(weight.shape, dtype=torch.int8), weight.new_empty(len(weight), 1)
    blocks = (torch.split(tensor, OUTPUTS_IN_CACHE) for tensor in (weight, quantized, scales))
    for source, target, scale in zip(*blocks, strict=True):
        smoothed = source.clone() if smoothing is None else source * smoothing
        torch.div(measure_max(smoothed, dim=1).clamp_min_(MIN_SCALE), max_weight, out=scale)
        target.copy_(smoothed.div_(scale).round_())
    return quantized, scales.squeeze(1)
