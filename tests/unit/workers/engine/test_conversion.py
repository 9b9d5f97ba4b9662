from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3TextConfig

from workers.engine import conversion
from workers.engine.conversion import convert_network


def test_converted_weights_are_those_that_transformers_converts(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "CHUNK_ELEMENTS", 1000)
    expected = AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.bfloat16)
    network = convert_network(
        AutoModelForCausalLM.from_pretrained(tiny_weights, dtype="auto"), dtype=torch.bfloat16, device="cpu"
    )
    assert network.lm_head.weight is network.model.embed_tokens.weight
    for (name, mine), (_, theirs) in zip(network.named_parameters(), expected.named_parameters(), strict=True):
        assert torch.equal(mine, theirs), name
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(network(input_ids=ids).logits, expected(input_ids=ids).logits)


def test_embeddings_are_scaled_as_the_served_dtype_has_it_and_not_as_the_files(tmp_path: Path) -> None:
    # The square root of 40 is another number in bfloat16.
    config = Gemma3TextConfig(
        vocab_size=64,
        hidden_size=40,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
    )
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(tmp_path)
    expected = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    network = convert_network(
        AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto"), dtype=torch.float32, device="cpu"
    )
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(network(input_ids=ids).logits, expected(input_ids=ids).logits)
