"""Weights in fewer bits: bitsandbytes on GPUs, FBGEMM on CPUs.

On a CPU every linear layer is measured on a sample while it is quantized, and those that int8 would change too much
stay in half precision. With Gemma 3 270M these are the layers after the activation function, a tenth of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from workers.engine.device import Placement
from workers.engine.half import HalfLinear
from workers.engine.int8 import Int8Linear
from workers.engine.pages import release_pages

# Largest error of an int8 layer's output on the sample, relative to its size.
LARGEST_ERROR = 0.02
# Rows of the sample and outputs that a layer is measured on; the head has a quarter of a million.
MEASURED_ROWS = 32
MEASURED_OUTPUTS = 8192


@dataclass(frozen=True, slots=True)
class Observed:
    """What reaches a linear layer.

    Args:
        rows: some inputs (rows, inputs).
        largest: largest value of each channel (inputs,) over the whole sample.
    """

    rows: torch.Tensor
    largest: torch.Tensor


def build_bitsandbytes_config(placement: Placement) -> Any:
    """Return what tells transformers to quantize with bitsandbytes, computing in the serving dtype; None if not to."""
    if placement.quantization in {"none", "half"} or placement.is_int8_on_cpu:
        return None
    from transformers import BitsAndBytesConfig

    if placement.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=placement.dtype,
    )


def quantize_linears(network: Any, *, run_sample: Callable[[], object]) -> None:
    """Replace every linear layer of a network on a CPU, its head included, in place; embeddings stay as they are.

    Args:
        network: the network, in float32.
        run_sample: runs the network on usual text, which shows how large its activations are.
    """
    observed = observe_inputs(network, run_sample)
    replace_linears(network, lambda linear: quantize_linear(linear, observed[linear]))


def halve_linears(network: Any) -> None:
    """Replace every linear layer of a network on a CPU by one with weights in half precision, in place."""
    replace_linears(network, lambda linear: HalfLinear(linear.weight.detach(), linear.bias))


def replace_linears(network: Any, build: Callable[[nn.Linear], nn.Module]) -> None:
    """Put what is built from each linear layer in its place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, build(child))
                release_pages(child.weight)


def quantize_linear(linear: nn.Linear, observed: Observed) -> nn.Module:
    """Return a layer in int8, or in half precision where int8 would change it too much."""
    weight, bias = linear.weight.detach(), linear.bias
    quantized = Int8Linear(weight, bias, observed.largest)
    return quantized if measure_error(quantized, linear, observed.rows) <= LARGEST_ERROR else HalfLinear(weight, bias)


@torch.inference_mode()
def measure_error(quantized: nn.Module, linear: nn.Linear, rows: torch.Tensor) -> float:
    """Return how far a layer's output on some rows is from that of floats, relative to its size."""
    step = max(linear.out_features // MEASURED_OUTPUTS, 1)
    bias = None if linear.bias is None else linear.bias[::step]
    exact = nn.functional.linear(rows, linear.weight[::step], bias)
    return float(torch.dist(quantized(rows)[:, ::step], exact) / exact.norm())


def observe_inputs(network: Any, run_sample: Callable[[], object]) -> dict[nn.Module, Observed]:
    """Return what reaches each linear layer while the sample runs."""
    observed: dict[nn.Module, Observed] = {}

    def observe(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        rows = inputs[0].flatten(0, -2)
        step = max(len(rows) // MEASURED_ROWS, 1)
        observed[layer] = Observed(rows[::step][:MEASURED_ROWS].clone(), rows.abs().amax(dim=0))

    with ExitStack() as hooks, torch.inference_mode():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                hooks.callback(layer.register_forward_pre_hook(observe).remove)
        run_sample()
    return observed
