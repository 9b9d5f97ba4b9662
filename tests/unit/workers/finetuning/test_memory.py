"""The memory a run will need is estimated from sizes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3nTextConfig, Gemma3TextConfig, PreTrainedConfig

from workers.engine.device import Placement
from workers.finetuning.config import FinetuneConfig, TrainingSettings
from workers.finetuning.errors import NotEnoughMemoryError
from workers.finetuning.memory import ADAPTER_BYTES, LOGIT_COPIES, check_memory, estimate_memory, list_adapted
from workers.weights.folder import TensorEntry

SIZES = {
    "vocab_size": 262_144,
    "hidden_size": 640,
    "intermediate_size": 2048,
    "num_hidden_layers": 18,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
}
GEMMA_270M = Gemma3TextConfig(**SIZES)
CONFIG = FinetuneConfig(data=(Path("pairs.csv"),), base=Path("base"), output=Path("out"))
PLAIN = Placement(device="cpu", dtype=torch.float32, quantization="none")
GIB = 2**30


def list_shapes(config: PreTrainedConfig) -> dict[str, TensorEntry]:
    """Return the tensors that a file of weights with this config holds."""
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    return {
        name: TensorEntry(Path("model.safetensors"), dtype="BF16", shape=tuple(parameter.shape))
        for name, parameter in network.named_parameters()
    }


def estimate(config: FinetuneConfig, weights: PreTrainedConfig, placement: Placement, max_completion: int = 96) -> int:
    tensors = list_shapes(weights)
    return estimate_memory(config, tensors, weights, placement, longest=500, max_completion=max_completion)


def test_the_estimate_for_gemma_3_270m_is_near_what_was_measured() -> None:
    # Measured: 2.7 to 3.4 GiB for examples of 400 to 600 tokens, the libraries included.
    assert 1.5 * GIB < estimate(CONFIG, GEMMA_270M, PLAIN) < 3.5 * GIB


def test_nf4_and_gradient_checkpointing_need_less() -> None:
    plain = estimate(CONFIG, GEMMA_270M, PLAIN)
    checkpointing = replace(CONFIG, training=TrainingSettings(gradient_checkpointing=True))
    assert estimate(CONFIG, GEMMA_270M, replace(PLAIN, quantization="nf4")) < plain
    assert estimate(checkpointing, GEMMA_270M, PLAIN) < plain


@pytest.mark.parametrize(("batch_size", "scored"), [(1, 300), (2, 2 * 500)])
def test_every_position_that_may_carry_loss_takes_logits(batch_size: int, scored: int) -> None:
    config = replace(CONFIG, training=TrainingSettings(batch_size=batch_size))
    small = Gemma3TextConfig(**SIZES | {"vocab_size": 64})
    silent, needed = (estimate(config, weights, PLAIN, max_completion=300) for weights in (small, GEMMA_270M))
    tokens = GEMMA_270M.vocab_size - small.vocab_size
    assert needed - silent == tokens * (GEMMA_270M.hidden_size + scored * LOGIT_COPIES) * 4


def test_the_layers_of_gemma_3n_differ_and_its_largest_embedding_is_not_quantized() -> None:
    weights = Gemma3nTextConfig(
        **SIZES | {"num_hidden_layers": 10, "intermediate_size": [2048] * 5 + [4096] * 5, "num_kv_shared_layers": 5},
        layer_types=["sliding_attention"] * 4 + ["full_attention"] + ["sliding_attention"] * 4 + ["full_attention"],
        hidden_size_per_layer_input=64,
        vocab_size_per_layer_input=262_144,
    )
    quantized = estimate(CONFIG, weights, replace(PLAIN, quantization="nf4"))
    assert quantized > 262_144 * (640 + 10 * 64) * 4
    wide = [shape for shape in list_adapted(list_shapes(weights)) if 4096 in shape]
    assert len(wide) == 3 * 5


def test_each_adapted_layer_takes_two_matrices_of_the_rank() -> None:
    larger = replace(CONFIG, lora=replace(CONFIG.lora, r=CONFIG.lora.r + 1))
    more = estimate(larger, GEMMA_270M, PLAIN) - estimate(CONFIG, GEMMA_270M, PLAIN)
    heads, inner, outer = (4 + 2) * 256 + 3 * 640, 4 * 256 + 640, 3 * (640 + 2048)
    assert more == ADAPTER_BYTES * 18 * (heads + inner + outer)


def test_a_run_that_does_not_fit_is_told_how_it_would() -> None:
    check_memory(GIB, free=GIB)
    with pytest.raises(NotEnoughMemoryError, match=r"needs about 2\.0 GiB and 1\.0 GiB are free: lower the batch size"):
        check_memory(2 * GIB, free=GIB)
