"""Norms of one kernel compute what transformers' own compute, in the dtypes that a GPU serves."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    Gemma4UnifiedTextConfig,
    GemmaConfig,
    LlamaConfig,
    PreTrainedConfig,
    VaultGemmaConfig,
)

from workers.engine.fused_norm import OFFSETS, KernelRMSNorm, fuse_norms

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 64,
}
MIXED = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 16}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma": lambda: GemmaConfig(**SIZES),
    "gemma2": lambda: Gemma2Config(**SIZES, sliding_window=16),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, sliding_window=16),
    "gemma3n": lambda: Gemma3nTextConfig(**SIZES, **MIXED, num_kv_shared_layers=0, vocab_size_per_layer_input=64),
    "gemma4": lambda: Gemma4TextConfig(**SIZES, **MIXED, global_head_dim=16, hidden_size_per_layer_input=0),
    "gemma4_unified": lambda: Gemma4UnifiedTextConfig(**SIZES, **MIXED, global_head_dim=16),
    "vaultgemma": lambda: VaultGemmaConfig(**SIZES, sliding_window=16),
}


def build(config: PreTrainedConfig) -> AutoModelForCausalLM:
    network = AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in network.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(parameter, mean=0.5)
    return network


def count_norms(network: torch.nn.Module) -> int:
    return sum(type(module).__name__ in OFFSETS for module in network.modules())


@torch.inference_mode()
@pytest.mark.parametrize("family", FAMILIES)
def test_norms_of_one_kernel_leave_the_logits_as_they_were(family: str) -> None:
    network, ids = build(FAMILIES[family]()), torch.arange(1, 33).unsqueeze(0)
    fused = copy.deepcopy(network)
    norms = count_norms(network)
    fuse_norms(fused)
    assert norms >= 5
    assert sum(isinstance(module, KernelRMSNorm) for module in fused.modules()) == norms
    assert torch.allclose(fused(ids).logits, network(ids).logits, atol=1e-5)


def test_rows_of_16_bits_are_normalized_in_float32() -> None:
    network = build(FAMILIES["gemma3"]()).bfloat16()
    norm, rows = network.model.norm, (torch.randn(50, 32) * 100).bfloat16()
    expected = norm(rows)
    fuse_norms(network)
    assert network.model.norm(rows).dtype is torch.bfloat16
    assert torch.allclose(network.model.norm(rows), expected, rtol=0.01)


def test_norms_that_are_computed_in_another_way_stay() -> None:
    network = build(LlamaConfig(**SIZES))
    before = list(network.modules())
    fuse_norms(network)
    assert list(network.modules()) == before
