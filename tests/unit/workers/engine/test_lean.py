from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from workers.engine.attention import RAGGED
from workers.engine.head import ScreenedHead, screen_head
from workers.engine.lean import LeanLayer, can_use_lean_layers, use_lean_layers
from workers.engine.packed import has_native_bfloat16
from workers.engine.quantization import pack_linears

IDS = torch.arange(3, 67).view(1, -1)


@pytest.fixture
def network(tiny_weights: Path) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(tiny_weights, attn_implementation=RAGGED).eval()


@torch.inference_mode()
@pytest.mark.parametrize("is_packed", [False, True])
def test_lean_layers_compute_what_transformers_does(network: torch.nn.Module, is_packed: bool) -> None:
    expected = network(input_ids=IDS).logits
    assert can_use_lean_layers(network)
    use_lean_layers(network, lambda _layer: None)
    if is_packed:
        pack_linears(network)
    assert isinstance(network.model.layers[0], LeanLayer)
    assert torch.allclose(network(input_ids=IDS).logits, expected, atol=1e-4)


@torch.inference_mode()
def test_lean_layers_go_on_from_a_cache(network: torch.nn.Module) -> None:
    use_lean_layers(network, lambda _layer: None)
    whole = network(input_ids=IDS).logits
    first = network(input_ids=IDS[:, :40], use_cache=True)
    rest = network(input_ids=IDS[:, 40:], past_key_values=copy.deepcopy(first.past_key_values))
    assert torch.allclose(rest.logits, whole[:, 40:], atol=1e-4)


def test_networks_in_other_dtypes_keep_their_layers(tiny_weights: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights, attn_implementation=RAGGED, dtype=torch.bfloat16)
    assert not can_use_lean_layers(network)


@pytest.mark.skipif(not has_native_bfloat16(), reason="this CPU does not compute in bfloat16")
@torch.inference_mode()
def test_a_screened_head_is_exact_where_scores_are_large() -> None:
    head = torch.nn.Linear(64, 40_000, bias=False)
    rows = torch.randn(7, 64) * 20
    expected = head(rows)
    screened = ScreenedHead(head)
    assert torch.allclose(screened(rows), expected, atol=1e-4)
    scores = screened.screen(rows)
    best = expected.topk(20)
    assert torch.equal(scores.topk(20).indices, best.indices)
    assert torch.allclose(scores.topk(20).values, best.values, atol=1e-4)
    assert torch.allclose(scores, expected, atol=0.3)


def test_a_small_head_is_not_screened(network: torch.nn.Module) -> None:
    screen_head(network)
    assert not isinstance(network.get_output_embeddings(), ScreenedHead)
