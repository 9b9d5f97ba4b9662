"""Linear layers in 8 bits on a CPU: weights quantized once, activations row by row as they come.

Torch's own dynamic quantization gives one scale to all rows of a batch, so what a request says depends on its batch
neighbours, and one outlier spoils the others. Here every row is scaled by its own largest value, which makes its
quantized values independent of the batch. Channels whose activations are much larger than the others are made smaller
and their weights larger before (SmoothQuant, Xiao et al. 2023). The product itself is FBGEMM's, on weights that are
repacked once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

# Largest quantized activation; they are unsigned for FBGEMM, so 128 stands for zero.
LARGEST_ACTIVATION = 127
ZERO_POINT = 128
# Largest quantized weight. On CPUs without VNNI two products are summed in 16 bits and cut off where they overflow:
# with the full 127 that costs more than the finer steps gain (error 0.020 against 0.013 at 640 inputs).
LARGEST_WEIGHT = 95
# Keeps what is all zeros from being divided by zero.
SMALLEST = 1e-6
# Rows of a weight that are quantized together; bounds the memory beside the weights.
ROWS_AT_ONCE = 8192


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output, and int8 activations, one scale per row.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
        largest_inputs: largest activation seen in each channel (inputs,); None to treat all channels alike.
    """

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor | None, largest_inputs: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        smoothing = None if largest_inputs is None else balance_channels(weight, largest_inputs)
        self._packed = pack_weight(weight, smoothing)
        self._shrink = None if smoothing is None else 1 / smoothing
        self._bias = bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of rows (..., inputs)."""
        if self._shrink is not None:
            rows = rows * self._shrink
        scale = torch.linalg.vector_norm(rows, torch.inf, dim=-1, keepdim=True).clamp_min_(SMALLEST)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows / scale, 1 / LARGEST_ACTIVATION, ZERO_POINT, self._packed
        ).mul_(scale)
        return product if self._bias is None else product.add_(self._bias)


def can_quantize() -> bool:
    """Return whether this build of torch has the 8-bit product for this CPU."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def quantize_linears(network: Any, *, run_sample: Callable[[], object]) -> None:
    """Replace every linear layer of a network, its head included, in place; embeddings stay as they are.

    Args:
        network: the network, in float32.
        run_sample: runs the network on usual text, which shows how large its activations are.
    """
    largest = observe_inputs(network, run_sample)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Int8Linear(child.weight.detach(), child.bias, largest.get(child)))


def observe_inputs(network: Any, run_sample: Callable[[], object]) -> dict[nn.Module, torch.Tensor]:
    """Return the largest activation (inputs,) that reaches each channel of each linear layer."""
    largest: dict[nn.Module, torch.Tensor] = {}

    def observe(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen = inputs[0].abs().flatten(0, -2).amax(dim=0)
        largest[layer] = torch.maximum(largest[layer], seen) if layer in largest else seen

    with ExitStack() as hooks, torch.inference_mode():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                hooks.callback(layer.register_forward_pre_hook(observe).remove)
        run_sample()
    return largest


def balance_channels(weight: torch.Tensor, largest_inputs: torch.Tensor) -> torch.Tensor:
    """Return the factor (inputs,) by which each channel's weights grow and its activations shrink."""
    largest_weights = torch.linalg.vector_norm(weight, torch.inf, dim=0)
    factor = (largest_inputs.clamp_min(SMALLEST) / largest_weights.clamp_min(SMALLEST)).sqrt()
    return factor / factor.log().mean().exp()


def pack_weight(weight: torch.Tensor, smoothing: torch.Tensor | None) -> Any:
    """Return a weight (outputs, inputs) in int8 as FBGEMM wants it."""
    quantized = torch.empty_like(weight, dtype=torch.int8)
    scales = torch.empty(weight.shape[0], dtype=torch.float64)
    for start in range(0, weight.shape[0], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        block = weight[rows] if smoothing is None else weight[rows] * smoothing
        scale = torch.linalg.vector_norm(block, torch.inf, dim=1, keepdim=True).clamp_min_(SMALLEST) / LARGEST_WEIGHT
        quantized[rows] = (block / scale).round_()
        scales[rows] = scale.squeeze(1)
    return pack_quantized(quantized, scales)


def pack_quantized(quantized: torch.Tensor, scales: torch.Tensor) -> Any:
    """Return int8 weights (outputs, inputs) with one scale per output as FBGEMM wants them."""
    zeros = torch.zeros_like(scales, dtype=torch.long)
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            # Torch announces that quantized tensors will go; the version that still has them is pinned.
            warnings.simplefilter("ignore")
            tensor = torch._make_per_channel_quantized_tensor(quantized, scales, zeros, 0)
            return torch.ops.quantized.linear_prepack(tensor, None)
    finally:
        torch.backends.quantized.engine = engine
