from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from workers.engine import conversion
from workers.engine.conversion import convert_network


def test_converted_weights_are_those_that_transformers_converts(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "NUMBERS_AT_ONCE", 1000)
    expected = AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.bfloat16)
    network = convert_network(
        AutoModelForCausalLM.from_pretrained(tiny_weights, dtype="auto"), dtype=torch.bfloat16, device="cpu"
    )
    assert network.lm_head.weight is network.model.embed_tokens.weight
    for (name, mine), (_, theirs) in zip(network.named_parameters(), expected.named_parameters(), strict=True):
        assert torch.equal(mine, theirs), name
    ids = torch.arange(20).unsqueeze(0)
    assert torch.equal(network(input_ids=ids).logits, expected(input_ids=ids).logits)
