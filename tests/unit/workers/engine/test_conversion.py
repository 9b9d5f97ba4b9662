from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3nTextConfig, Gemma3TextConfig, Gemma4TextConfig, PreTrainedConfig

from workers.engine import conversion
from workers.engine.conversion import StoredEmbedding, convert_network
from workers.engine.cpu.memory import is_mapped


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


SIZES = {
    "vocab_size": 64,
    "vocab_size_per_layer_input": 64,
    "hidden_size": 40,
    # Its square root is another number in bfloat16.
    "hidden_size_per_layer_input": 40,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 20,
}
EXPERTS = {"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32}


@pytest.mark.parametrize(
    "config",
    [
        Gemma3nTextConfig(**SIZES, laurel_rank=8, altup_num_inputs=2),
        Gemma4TextConfig(**SIZES, global_head_dim=40),
        Gemma4TextConfig(**SIZES, **EXPERTS),
    ],
    ids=["gemma3n", "gemma4", "gemma4-experts"],
)
def test_every_factor_of_a_network_is_that_of_the_served_dtype(config: PreTrainedConfig, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(tmp_path)
    expected = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    network = convert_network(
        AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto"), dtype=torch.float32, device="cpu"
    )
    buffers = dict(network.named_buffers())
    for name, theirs in expected.named_buffers():
        # That of the embeddings of every layer is within the module that reads them from the file.
        assert ("per_layer" in name and name not in buffers) or torch.equal(buffers[name], theirs), name
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(network(input_ids=ids).logits, expected(input_ids=ids).logits)


def test_the_embeddings_of_every_layer_stay_in_their_file(tmp_path: Path) -> None:
    config = Gemma4TextConfig(**{**SIZES, "vocab_size_per_layer_input": 1024})
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(tmp_path)
    network = convert_network(
        AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto"), dtype=torch.float32, device="cpu"
    )
    stored = network.model.embed_tokens_per_layer
    assert isinstance(stored, StoredEmbedding)
    assert stored.weight.dtype is torch.bfloat16
    assert is_mapped(stored.weight)
    assert stored(torch.tensor([[1, 2]])).dtype is torch.float32
    # As before a quantization of merged weights.
    network.save_pretrained(tmp_path / "saved")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32)
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(saved(input_ids=ids).logits, network(input_ids=ids).logits)
