from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from workers.engine.cpu.fused_gemma3 import FusedGemma3Layer, can_fuse_layers, fuse_layers
from workers.engine.quantization import prepack_linears
from workers.engine.ragged_attention import RAGGED

IDS = torch.arange(3, 67).view(1, -1)


@pytest.fixture
def network(tiny_weights: Path) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(tiny_weights, attn_implementation=RAGGED).eval()


@torch.inference_mode()
@pytest.mark.parametrize("is_packed", [False, True])
def test_lean_layers_compute_what_transformers_does(network: torch.nn.Module, is_packed: bool) -> None:
    expected = network(input_ids=IDS).logits
    assert can_fuse_layers(network)
    fuse_layers(network, lambda _layer: None)
    if is_packed:
        prepack_linears(network)
    assert isinstance(network.model.layers[0], FusedGemma3Layer)
    assert torch.allclose(network(input_ids=IDS).logits, expected, atol=1e-4)


@torch.inference_mode()
def test_lean_layers_go_on_from_a_cache(network: torch.nn.Module) -> None:
    fuse_layers(network, lambda _layer: None)
    whole = network(input_ids=IDS).logits
    first = network(input_ids=IDS[:, :40], use_cache=True)
    rest = network(input_ids=IDS[:, 40:], past_key_values=copy.deepcopy(first.past_key_values))
    assert torch.allclose(rest.logits, whole[:, 40:], atol=1e-4)


def test_networks_in_other_dtypes_keep_their_layers(tiny_weights: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights, attn_implementation=RAGGED, dtype=torch.bfloat16)
    assert not can_fuse_layers(network)


@torch.inference_mode()
def test_the_last_layer_computes_only_the_tokens_that_are_kept(network: torch.nn.Module) -> None:
    fuse_layers(network, lambda _layer: None)
    kept = torch.tensor([7, 40, 63])
    whole = network.model(input_ids=IDS).last_hidden_state
    assert torch.allclose(network.model(input_ids=IDS, kept=kept).last_hidden_state, whole[:, kept], atol=1e-4)
