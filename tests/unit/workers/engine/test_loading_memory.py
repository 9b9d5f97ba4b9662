"""Estimates of the memory of weights against what was allocated, measured in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GemmaConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
)

from workers.engine.cpu.onednn import has_native_bfloat16

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")

# The interpreter and its libraries are there before. Pages of the file that a network keeps mapped count as allocated;
# others do not. With nf4 all pages of the file stay until it is loaded, so that the peak of the others is not known.
MEASURE = """
import ctypes, gc, json, sys
from pathlib import Path
import bitsandbytes
import torch
from workers.engine.cpu.memory import is_mapped
from workers.engine.device import Placement
from workers.engine.footprint import count_activation_bytes, measure_weights
from workers.engine.loading import CHECKED_POSITIONS, check_finite, load_network, prepare_layers
from workers.engine.pretrained import read_config
from workers.weights.folder import list_tensors

def read_status():
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0]: int(words[1]) * 1024 for words in lines if words[-1] == "kB"}

folder, results = Path(sys.argv[1]), {}
torch.set_num_threads(1)
torch.nn.functional.linear(torch.ones(512, 512), torch.ones(512, 512))
config, tensors = read_config(folder), list_tensors(folder)
sample = count_activation_bytes(config, tokens=100, positions=CHECKED_POSITIONS, itemsize=4)
for quantization in sys.argv[2].split():
    placement = Placement(device="cpu", dtype=torch.float32, quantization=quantization)
    estimate = measure_weights(tensors, config, placement)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = read_status()
    Path("/proc/self/clear_refs").write_text("5")
    network = load_network(folder, placement=placement, adapter=None, device_map=None)
    ids = torch.arange(100).unsqueeze(0)
    check_finite(network, prepare_layers(network, placement, ids, device_map=None), placement)
    ctypes.CDLL(None).malloc_trim(0)
    after = read_status()
    mapped = {tensor.data_ptr(): tensor.nbytes for tensor in network.parameters() if is_mapped(tensor)}
    kept = sum(mapped.values()) - before["RssAnon:"]
    peak = after["VmHWM:"] - after["RssFile:"] + kept
    results[quantization] = (peak, estimate.peak + sample, after["RssAnon:"] + kept, estimate.served)
    del network
print(json.dumps(results))
"""
# Layers wide enough that what does not grow with the weights stays below a twentieth of them.
SIZES = {
    "vocab_size": 32_768,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 192,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
MIXED = {"layer_types": ["sliding_attention", "full_attention"] * 4, "sliding_window": 32}
SHARING = {
    **SIZES,
    **MIXED,
    "num_kv_shared_layers": 4,
    "vocab_size_per_layer_input": 32_768,
    "hidden_size_per_layer_input": 64,
}
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma": lambda: GemmaConfig(**SIZES),
    "gemma2": lambda: Gemma2Config(**SIZES, **MIXED),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, **MIXED),
    "gemma3n": lambda: Gemma3nTextConfig(**SHARING, laurel_rank=16, altup_num_inputs=2),
    "gemma4": lambda: Gemma4TextConfig(**SIZES, **MIXED, global_head_dim=384, hidden_size_per_layer_input=0),
    "gemma4_small": lambda: Gemma4TextConfig(**SHARING, global_head_dim=384, use_double_wide_mlp=True),
    "gemma4_experts": lambda: Gemma4TextConfig(
        **SIZES,
        **MIXED,
        global_head_dim=384,
        hidden_size_per_layer_input=0,
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=768,
    ),
    "llama": lambda: LlamaConfig(**SIZES, tie_word_embeddings=False),
    "qwen3": lambda: Qwen3Config(**SIZES, tie_word_embeddings=True),
}
QUANTIZATIONS = ["none", "half", "int8", "nf4", *(["bf16"] if has_native_bfloat16() else [])]


def measure(folder: Path, quantizations: list[str]) -> dict[str, tuple[int, int, int, int]]:
    """Return for each quantization the peak and its estimate, and the memory of the loaded weights and its estimate."""
    command = [sys.executable, "-c", MEASURE, str(folder), " ".join(quantizations)]
    # Without this glibc keeps freed blocks of up to 32 MB for later.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 17)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    results: dict[str, tuple[int, int, int, int]] = json.loads(output.splitlines()[-1])
    return results


def check_estimates(folder: Path, *, int8: float) -> None:
    results = measure(folder, QUANTIZATIONS)
    assert list(results) == QUANTIZATIONS
    for quantization, (peak, estimated_peak, served, estimated) in results.items():
        assert estimated == pytest.approx(served, rel=int8 if quantization == "int8" else 0.05), quantization
        if quantization == "nf4":
            assert estimated_peak > estimated
        else:
            assert estimated_peak == pytest.approx(peak, rel=0.05), quantization


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_memory_of_loading_and_of_loaded_weights_is_estimated_within_a_twentieth(
    tmp_path: Path, family: str
) -> None:
    # As the hub has them.
    AutoModelForCausalLM.from_config(FAMILIES[family](), dtype=torch.bfloat16).save_pretrained(tmp_path)
    # Layers after an activation are in float16, or in int8 where random ones happen to bear it.
    check_estimates(tmp_path, int8=0.1)


@pytest.mark.slow
@pytest.mark.real
def test_the_memory_of_the_packaged_weights_is_estimated_within_a_twentieth(real_weights: Path) -> None:
    check_estimates(real_weights, int8=0.05)
