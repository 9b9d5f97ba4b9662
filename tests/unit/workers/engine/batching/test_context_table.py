"""The contexts that docs/performance.md promises for each GPU are those that the engine chooses."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Gemma3TextConfig, Gemma4TextConfig, PreTrainedConfig

from workers.engine.batching.sizing import Machine, choose_sizes
from workers.engine.config import EngineConfig
from workers.engine.device import Placement, ServedQuantization
from workers.engine.errors import InsufficientMemoryError
from workers.engine.footprint import measure_weights
from workers.weights.folder import TensorEntry

PERFORMANCE = Path(__file__).parents[5] / "docs" / "performance.md"
# Memory of GPUs in GiB, and their part that programs can allocate beside CUDA's own 0.6 GiB.
GPUS, ALLOCATABLE, CUDA_GIB = (16, 24, 80, 141), 0.985, 0.6
GEMMA3 = {"vocab_size": 262_208, "sliding_window": 1024, "max_position_embeddings": 131_072}
# Published configs, with the numbers in linear layers and in all other tensors of the text network.
WEIGHTS: dict[str, tuple[PreTrainedConfig, int, int]] = {
    "Gemma 3 4B": (
        Gemma3TextConfig(
            **GEMMA3,
            hidden_size=2560,
            intermediate_size=10_240,
            num_hidden_layers=34,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=256,
        ),
        3_208_642_560,
        671_620_608,
    ),
    "Gemma 3 12B": (
        Gemma3TextConfig(
            **GEMMA3,
            hidden_size=3840,
            intermediate_size=15_360,
            num_hidden_layers=48,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=256,
        ),
        10_758_389_760,
        1_007_644_416,
    ),
    "Gemma 3 27B": (
        Gemma3TextConfig(
            **GEMMA3,
            hidden_size=5376,
            intermediate_size=21_504,
            num_hidden_layers=62,
            num_attention_heads=32,
            num_key_value_heads=16,
            head_dim=128,
        ),
        25_598_361_600,
        1_410_984_704,
    ),
    "Gemma 4 E4B": (
        Gemma4TextConfig(
            hidden_size=2560,
            intermediate_size=10_240,
            num_hidden_layers=42,
            num_attention_heads=8,
            num_key_value_heads=2,
            num_kv_shared_layers=18,
        ),
        3_972_792_320,
        3_490_221_056,
    ),
    "Gemma 4 31B": (
        Gemma4TextConfig(
            hidden_size=5376,
            intermediate_size=21_504,
            num_hidden_layers=60,
            num_attention_heads=32,
            num_key_value_heads=16,
            num_global_key_value_heads=4,
            attention_k_eq_v=True,
            sliding_window=1024,
            max_position_embeddings=262_144,
            hidden_size_per_layer_input=0,
        ),
        29_286_727_680,
        1_410_617_600,
    ),
}


def find_context(name: str, quantization: ServedQuantization, gibibytes: int) -> str:
    """Return the context of weights on a GPU as the table shows it, a dash where they do not fit."""
    config, linear, other = WEIGHTS[name]
    tensors = {
        "model.layers.proj.weight": TensorEntry(Path("x"), dtype="BF16", shape=(linear, 1)),
        "model.embed_tokens.weight": TensorEntry(Path("x"), dtype="BF16", shape=(other, 1)),
    }
    weights = measure_weights(tensors, config, Placement("cuda", torch.bfloat16, quantization))
    free = int((gibibytes * ALLOCATABLE - CUDA_GIB) * 2**30) - weights.served
    try:
        sizes = choose_sizes(
            config,
            EngineConfig(weights=name),
            Machine("cuda", free, 1),
            itemsize=2,
        )
    except InsufficientMemoryError:
        return "-"
    return f"{sizes.context_tokens:,}"


def list_rows() -> list[str]:
    return [
        f"| {name} | {label} | " + " | ".join(find_context(name, quantization, gpu) for gpu in GPUS) + " |"
        for name in WEIGHTS
        for label, quantization in (("bfloat16", "none"), ("`nf4`", "nf4"))
    ]


def test_the_documented_contexts_are_those_that_are_chosen() -> None:
    rows = list_rows()
    assert len(rows) == 10
    assert "-" in rows[-1]
    text = PERFORMANCE.read_text(encoding="utf-8")
    assert [row for row in rows if row not in text] == []
