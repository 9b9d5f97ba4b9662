"""Undocumented names of torch, in one place, to check against each new version.

They are the operators of oneDNN and FBGEMM behind torch's compiled and quantized layers; no public one multiplies with
prepacked weights, or with int8 weights and activations.

torch
    _make_per_channel_quantized_tensor  int8 weights with one scale for each output
    cpu._is_avx512_bf16_supported  whether the CPU itself computes in bfloat16
    ops.mkldnn._is_mkldnn_bf16_supported  whether oneDNN has bfloat16 on this CPU
    ops.mkldnn._linear_pointwise  a linear layer on weights in oneDNN's layout, with an activation or none
    ops.mkldnn._linear_pointwise.binary  the same, times a factor
    ops.mkldnn._reorder_linear_weight  oneDNN's layout of weights
    ops.onednn.qlinear_pointwise  a linear layer on int8 weights in oneDNN's layout, 8 bits in and float32 out
    ops.onednn.qlinear_prepack  oneDNN's layout of int8 weights
    ops.quantized.linear_dynamic_fp16  a linear layer on float16 weights in FBGEMM's layout
    ops.quantized.linear_prepack  FBGEMM's layout of int8 weights
    ops.quantized.linear_prepack_fp16  FBGEMM's layout of float16 weights
    ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32  a linear layer on int8 weights, float32 in and out
"""

from __future__ import annotations

from typing import Any

import torch


def has_bfloat16_onednn() -> bool:
    """Return whether oneDNN has bfloat16 on this CPU."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def has_bfloat16_instructions() -> bool:
    """Return whether the CPU itself computes in bfloat16."""
    return torch.cpu._is_avx512_bf16_supported()


def reorder_weight(weight: torch.Tensor, rows: int) -> torch.Tensor:
    """Return weights (outputs, inputs) in oneDNN's layout for so many rows."""
    reordered: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return reordered


def multiply_reordered(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str = "none", algorithm: str = ""
) -> torch.Tensor:
    """Return (..., outputs) of rows (..., inputs) by reordered weights, with an activation of oneDNN."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, activation, [], algorithm)
    return product


def multiply_reordered_by(
    rows: torch.Tensor, factor: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return (..., outputs) of rows (..., inputs) by reordered weights, times a factor (..., outputs)."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(rows, factor, weight, bias, "mul")
    return product


def pack_float16(weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    """Return float32 weights (outputs, inputs) and their bias as float16 in FBGEMM's layout."""
    return torch.ops.quantized.linear_prepack_fp16(weight, bias)


def multiply_float16(rows: torch.Tensor, packed: Any) -> torch.Tensor:
    """Return (..., outputs) of rows (..., inputs) by packed float16 weights."""
    product: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(rows, packed)
    return product


def reorder_int8(quantized: torch.Tensor, rows: int) -> torch.Tensor:
    """Return int8 weights (outputs, inputs) in oneDNN's layout for so many rows."""
    reordered: torch.Tensor = torch.ops.onednn.qlinear_prepack(quantized, [rows, quantized.shape[1]])
    return reordered


def multiply_reordered_int8(
    rows: torch.Tensor, reordered: torch.Tensor, scales: torch.Tensor, *, zero_point: int
) -> torch.Tensor:
    """Return float32 (..., outputs) of rows (..., inputs) by reordered int8 weights, times scales (outputs,).

    Args:
        rows: unsigned numbers of 8 bits.
        reordered: weights.
        scales: of the outputs. A scale of the rows would be multiplied in an order that depends on their number.
        zero_point: of the rows.
    """
    no_offset = torch.zeros(1, dtype=torch.int64)
    product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        rows, 1.0, zero_point, reordered, scales, no_offset, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return product


def pack_int8(quantized: torch.Tensor, scales: torch.Tensor) -> Any:
    """Return int8 weights (outputs, inputs) with one scale (outputs,) each, in FBGEMM's layout."""
    zero_points = torch.zeros_like(scales, dtype=torch.long)
    weight = torch._make_per_channel_quantized_tensor(quantized, scales.double(), zero_points, 0)
    return torch.ops.quantized.linear_prepack(weight, None)


def multiply_int8(rows: torch.Tensor, packed: Any, *, scale: float, zero_point: int) -> torch.Tensor:
    """Return float32 (..., outputs) of rows (..., inputs), quantized by a scale and zero point, by int8 weights."""
    product: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        rows, scale, zero_point, packed
    )
    return product
