"""The memory a run will need is estimated from sizes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Gemma3TextConfig

from workers.engine.device import Placement
from workers.finetuning.config import FinetuneConfig, TrainingSettings
from workers.finetuning.errors import NotEnoughMemoryError
from workers.finetuning.memory import LOGIT_COPIES, check_memory, estimate_memory

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


def test_the_estimate_for_gemma_3_270m_is_near_what_was_measured() -> None:
    # Measured: 2.7 to 3.4 GiB for examples of 400 to 600 tokens, the libraries included.
    assert 1.5 * GIB < estimate_memory(CONFIG, GEMMA_270M, PLAIN, longest=500, max_completion=96) < 3.5 * GIB


def test_nf4_and_gradient_checkpointing_need_less() -> None:
    plain = estimate_memory(CONFIG, GEMMA_270M, PLAIN, longest=500, max_completion=96)
    quantized = replace(PLAIN, quantization="nf4")
    checkpointing = replace(CONFIG, training=TrainingSettings(gradient_checkpointing=True))
    assert estimate_memory(CONFIG, GEMMA_270M, quantized, longest=500, max_completion=96) < plain
    assert estimate_memory(checkpointing, GEMMA_270M, PLAIN, longest=500, max_completion=96) < plain


@pytest.mark.parametrize(("batch_size", "scored"), [(1, 300), (2, 2 * 500)])
def test_every_position_that_may_carry_loss_takes_logits(batch_size: int, scored: int) -> None:
    config = replace(CONFIG, training=TrainingSettings(batch_size=batch_size))
    silent, needed = (
        estimate_memory(config, vocabulary, PLAIN, longest=500, max_completion=300)
        for vocabulary in (Gemma3TextConfig(**SIZES | {"vocab_size": 0}), GEMMA_270M)
    )
    table = GEMMA_270M.vocab_size * GEMMA_270M.hidden_size * 4
    assert needed - silent - table == scored * GEMMA_270M.vocab_size * LOGIT_COPIES * 4


def test_a_run_that_does_not_fit_is_told_how_it_would() -> None:
    check_memory(GIB, free=GIB)
    with pytest.raises(NotEnoughMemoryError, match=r"needs about 2\.0 GiB and 1\.0 GiB are free: lower the batch size"):
        check_memory(2 * GIB, free=GIB)
