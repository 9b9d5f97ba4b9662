from __future__ import annotations

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from torch import nn

from workers.engine.cpu.half import Float16Linear
from workers.engine.cpu.int8 import Int8Linear
from workers.engine.quantization import convert_to_float16, limit_repacking, observe_inputs, quantize_linears


def build_network() -> nn.Sequential:
    # With these values both layers stay well within the error that int8 may make.
    torch.manual_seed(4)
    return nn.Sequential(nn.Embedding(50, 64), nn.Linear(64, 64), nn.Sequential(nn.Linear(64, 20, bias=False)))


def test_every_linear_layer_is_quantized_and_nothing_else() -> None:
    network = build_network()
    quantize_linears(network, run_sample=lambda: network(torch.arange(50)))
    kinds = [type(network[0]), type(network[1]), type(network[2][0])]
    assert kinds == [nn.Embedding, Int8Linear, Int8Linear]


def test_a_layer_that_int8_would_change_too_much_stays_in_half_precision() -> None:
    network = build_network()
    # Two values of each row dwarf the others and cancel out, another two each time: no scale keeps what is left of
    # the row, and no channel is to blame.
    pairs = torch.arange(50) % 32
    network[0].weight.data = torch.randn(50, 64) + 1000 * (torch.eye(64)[2 * pairs] - torch.eye(64)[2 * pairs + 1])
    network[1].weight.data = torch.randn(64, 32).repeat_interleave(2, dim=1)
    quantize_linears(network, run_sample=lambda: network(torch.arange(50)))
    assert isinstance(network[1], Float16Linear)


def test_halving_replaces_every_linear_layer() -> None:
    network = build_network()
    convert_to_float16(network)
    assert [type(network[1]), type(network[2][0])] == [Float16Linear, Float16Linear]


def test_the_largest_value_of_every_channel_is_observed() -> None:
    network = build_network()
    observed = observe_inputs(network, lambda: network(torch.arange(50)))
    assert torch.equal(observed[network[1]].largest, network[0].weight.abs().amax(dim=0))
    assert observed[network[1]].rows.shape == (32, 64)
    assert not network[1]._forward_pre_hooks


@pytest.mark.parametrize(
    ("inputs", "outputs", "is_repacked"), [(64, 64, True), (64, 4, False), (96, 32, False), (128, 32, True)]
)
def test_only_4_bit_layers_that_fill_the_blocks_of_the_cpu_kernel_are_repacked(
    inputs: int, outputs: int, is_repacked: bool
) -> None:
    layer = Linear4bit(inputs, outputs, quant_type="nf4").to("cpu")
    rows = torch.randn(3, inputs)
    # As on a CPU with bfloat16 instructions, which the machine of this test may lack.
    layer.support_avx512bf16_for_cpu = True
    limit_repacking(layer)
    assert layer.support_avx512bf16_for_cpu is is_repacked
    if not is_repacked:
        with torch.inference_mode():
            assert torch.isfinite(layer.eval()(rows)).all()
