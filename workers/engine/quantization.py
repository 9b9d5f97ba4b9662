"""Quantization of linear layers: by bitsandbytes on GPUs, by FBGEMM and oneDNN on CPUs.

On a CPU the error of each int8 layer is measured on a sample, and layers with a large one get float16 instead. With
Gemma 3 270M these are the layers after the activation function, a tenth of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from workers.engine.cpu.chunked_linear import BuildLinear, build_linear, find_places
from workers.engine.cpu.half import Float16Linear
from workers.engine.cpu.int8 import Int8Linear, has_exact_int8
from workers.engine.cpu.memory import release_pages
from workers.engine.cpu.onednn import OneDnnLinear
from workers.engine.device import Placement

# Largest error of an int8 layer's output on the sample, relative to its size.
MAX_ERROR = 0.02
# Outputs of a block of bitsandbytes' repacked layers.
REPACKED_OUTPUTS = 32
# Rows of the sample on which the error of a layer is measured.
MEASURED_ROWS = 32


@dataclass(frozen=True, slots=True)
class ObservedInputs:
    """Inputs of a linear layer on the sample.

    Args:
        rows: some inputs (rows, inputs).
        largest: largest magnitude of each channel (inputs,) over the whole sample.
    """

    rows: torch.Tensor
    largest: torch.Tensor


def build_bitsandbytes_config(placement: Placement) -> Any:
    """Return transformers' settings for bitsandbytes, which computes in the serving dtype; None without it."""
    if placement.quantization in {"none", "bf16", "half"} or placement.is_int8_on_cpu:
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


def limit_repacking(network: Any) -> None:
    """Turn off bitsandbytes' repacking, in place, for 4-bit layers of sizes that it cannot repack.

    On a CPU with bfloat16 instructions it repacks each layer at its first call, and stops with an error unless the
    layer's outputs and inputs fill its blocks.
    """
    for module in network.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            state = getattr(module.weight, "quant_state", None)
            module.support_avx512bf16_for_cpu = (
                state is not None
                and module.out_features % REPACKED_OUTPUTS == 0
                and module.in_features % state.blocksize == 0
            )


def quantize_linears(network: Any, *, run_sample: Callable[[], object], head: nn.Module | None = None) -> None:
    """Quantize every linear layer of a network on a CPU to int8, in place; embeddings stay as they are.

    Args:
        network: the network, in float32.
        run_sample: runs the network on typical text, to measure its activations.
        head: the last layer; its output is not computed.
    """
    observed = observe_inputs(network, run_sample, head)

    def choose_build(linear: nn.Linear) -> BuildLinear:
        # Taken out, so that a layer is freed as soon as it is replaced.
        inputs = observed.pop(linear)
        return lambda weight, bias: quantize_linear(weight, bias, observed=inputs)

    replace_linears(network, choose_build)


def convert_to_float16(network: Any) -> None:
    """Convert every linear layer of a network on a CPU to float16 weights, in place."""
    replace_linears(network, lambda _linear: Float16Linear)


def prepack_linears(network: Any) -> None:
    """Prepack every linear layer of a network on a CPU for oneDNN, in place; outputs stay the same."""
    replace_linears(network, lambda _linear: OneDnnLinear)


def convert_to_bfloat16(network: Any, *, head: nn.Module) -> None:
    """Convert every linear layer of a network on a CPU to bfloat16, in place, but the head to float16 weights.

    The logits need more than bfloat16's eight bits to rank tokens, so the head computes in float32.
    """
    replace_linears(
        network,
        lambda linear: Float16Linear if linear is head else lambda weight, bias: OneDnnLinear(weight.bfloat16(), bias),
    )


def replace_linears(network: Any, choose_build: Callable[[nn.Linear], BuildLinear]) -> None:
    """Replace every linear layer by the one that its chosen builder returns, the head last.

    The head is found first, and packed it is the largest: built last, it takes the place of layers already freed.
    """
    for parent, name in reversed(find_places(network, nn.Linear)):
        linear = getattr(parent, name)
        setattr(parent, name, build_linear(linear, choose_build(linear)))


def uses_onednn(body: Any) -> bool:
    """Return whether oneDNN computes the products of a network without its head, and so compiles them."""
    kinds = (OneDnnLinear, Int8Linear) if has_exact_int8() else (OneDnnLinear,)
    is_16_bit = body.device.type == "cpu" and body.dtype is not torch.float32
    return is_16_bit or any(isinstance(module, kinds) for module in body.modules())


def quantize_linear(weight: torch.Tensor, bias: torch.Tensor | None, *, observed: ObservedInputs) -> nn.Module:
    """Return a layer in int8, or in float16 if the error of int8 exceeds ``MAX_ERROR``.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), or None.
        observed: inputs of the layer on the sample.
    """
    quantized = Int8Linear(weight, bias, observed.largest)
    exact = nn.functional.linear(observed.rows, weight, bias)
    error = float(torch.dist(quantized(observed.rows), exact) / exact.norm())
    return quantized if error <= MAX_ERROR else Float16Linear(weight, bias)


def observe_inputs(
    network: Any, run_sample: Callable[[], object], head: nn.Module | None = None
) -> dict[nn.Module, ObservedInputs]:
    """Return the inputs of each linear layer while the sample runs."""
    observed: dict[nn.Module, ObservedInputs] = {}

    def observe(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor | None:
        rows = inputs[0].flatten(0, -2)
        step = max(len(rows) // MEASURED_ROWS, 1)
        observed[layer] = ObservedInputs(rows[::step][:MEASURED_ROWS].clone(), rows.abs().amax(dim=0))
        # Without rows the head computes nothing.
        return inputs[0][..., :0, :] if layer is head else None

    with ExitStack() as hooks, torch.inference_mode():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                hooks.callback(layer.register_forward_pre_hook(observe).remove)
                hooks.callback(layer.register_forward_hook(lambda used, *_: release_pages(used.weight)).remove)
        run_sample()
    return observed
