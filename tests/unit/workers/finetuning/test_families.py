"""Adapters of every architecture say merged what they say attached, and change the text network alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    Gemma4UnifiedTextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen3Config,
    VaultGemmaConfig,
)

from tests.hub_folders import build_hub_folder
from tests.pairs import finetune
from tests.tiny_gemma import build_tiny_family
from tests.unit.workers.finetuning.conftest import build_config
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.engine.pretrained import read_network
from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.lora import LoraSettings
from workers.finetuning.merge import merge_adapter
from workers.finetuning.training import FinetuneResult
from workers.generation import GenerationParams, Part, Prompt, PromptFormat, Turn
from workers.weights.folder import ADAPTER_TENSORS

# As many as a real vocabulary has at least: the head of a smaller one is never screened.
VOCABULARY = 32_768
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
CAPPED = {"query_pre_attn_scalar": 1, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 30.0}
MIXED = ["sliding_attention", "full_attention"]
WINDOW = {**SIZES, "sliding_window": 32, "layer_types": MIXED}
SHARING = {
    **WINDOW,
    "num_hidden_layers": 4,
    "layer_types": MIXED * 2,
    "num_kv_shared_layers": 2,
    "vocab_size_per_layer_input": VOCABULARY,
    "hidden_size_per_layer_input": 8,
}
GEMMA4 = {**WINDOW, "global_head_dim": 32, "hidden_size_per_layer_input": 0}
# Configs of the text network, and the kind of the weights that have towers beside it.
FAMILIES: dict[str, tuple[PreTrainedConfig, str | None]] = {
    "gemma": (GemmaConfig(**SIZES), None),
    "gemma2": (Gemma2Config(**SIZES, **CAPPED, sliding_window=32), None),
    "gemma3": (Gemma3TextConfig(**WINDOW, query_pre_attn_scalar=16), None),
    "gemma3_towers": (Gemma3TextConfig(**WINDOW, query_pre_attn_scalar=16), "gemma3"),
    "gemma3n": (Gemma3nTextConfig(**SHARING, laurel_rank=8, altup_num_inputs=2), "gemma3n"),
    # As 31B: larger heads in layers with full attention, fewer of them, and no projection of their values.
    "gemma4": (Gemma4TextConfig(**GEMMA4, attention_k_eq_v=True, num_global_key_value_heads=1), "gemma4"),
    # As E2B: an embedding for each layer, and last layers that share keys.
    "gemma4_small": (Gemma4TextConfig(**SHARING, global_head_dim=32, use_double_wide_mlp=True), "gemma4"),
    # As 26B-A4B.
    "gemma4_experts": (
        Gemma4TextConfig(**GEMMA4, enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=32),
        "gemma4",
    ),
    "gemma4_unified": (Gemma4UnifiedTextConfig(**WINDOW, global_head_dim=32), "gemma4_unified"),
    "vaultgemma": (VaultGemmaConfig(**SIZES, **CAPPED, sliding_window=32), None),
    "llama": (LlamaConfig(**SIZES, tie_word_embeddings=False), None),
    "qwen3": (Qwen3Config(**SIZES, tie_word_embeddings=True), None),
    "mistral": (MistralConfig(**SIZES, sliding_window=32, tie_word_embeddings=False), None),
}
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
GREEDY = GenerationParams(do_sample=False, max_new_tokens=12)
PROMPTS = [
    Prompt((Turn("user", (Part(text),)),), format=PromptFormat.CHAT)
    for text in ("The river rose by four metres.", "Engineers measured the piers. " * 5)
]


def build(folder: Path, family: str) -> Path:
    """Write random weights of a family as the hub has them."""
    config, kind = FAMILIES[family]
    if kind is None:
        return build_tiny_family(folder, config)
    layout = "old" if kind == "gemma3" else "new"
    return build_hub_folder(folder, config, {"model_type": kind}, layout=layout, ends=[1, 5])


def train(folder: Path, base: Path, *, held_out: int = 0, **training: Any) -> FinetuneResult:
    """Train an adapter for three steps, and measure it on pairs that are held out."""
    steps = {"batch_size": 2, "max_steps": 3, "learning_rate": 0.05, **training}
    lora = LoraSettings(r=4, alpha=16)
    return finetune(
        build_config(folder, base, pairs=8, held_out=held_out, generated=held_out, lora=lora, training=steps)
    )


def generate(network: Any, tokenizer: PromptTokenizer, prompt: Prompt) -> str:
    """Return the greedy answer of a network as transformers computes it."""
    ids = torch.tensor([tokenizer.encode_prompt(prompt)])
    output = network.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=GREEDY.max_new_tokens
    )
    return tokenizer.decode(output[0, ids.shape[1] :].tolist())


@torch.inference_mode()
def compute_logits(network: Any) -> torch.Tensor:
    """Return the logits of a text longer than the window."""
    logits: torch.Tensor = network.eval()(input_ids=torch.arange(300, 350).view(1, -1)).logits
    return logits


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_says_merged_and_served_what_it_says_attached(tmp_path: Path, family: str) -> None:
    base = build(tmp_path / "base", family)
    adapter = train(tmp_path, base).adapter
    trained = [name.split(".lora_")[0] for name in load_file(adapter / ADAPTER_TENSORS)]
    assert all(name.startswith("base_model.model.model.layers.") for name in trained)
    assert {name.rpartition(".")[2] for name in trained} == LAYERS

    merged = merge_adapter(base, adapter, tmp_path / "merged")
    before = compute_logits(read_network(base))
    attached = PeftModel.from_pretrained(read_network(base, attn_implementation="eager"), adapter).eval()
    expected = compute_logits(attached)
    assert (expected - before).abs().max() > 0.1
    reloaded = AutoModelForCausalLM.from_pretrained(merged)
    torch.testing.assert_close(compute_logits(reloaded), expected, rtol=1e-4, atol=1e-3)
    with closing(load_engine(EngineConfig(weights=str(merged), quantization="none", batch_tokens=64))) as engine:
        for prompt in PROMPTS:
            assert engine.generate(prompt, GREEDY).text == generate(attached, engine.weights.tokenizer, prompt)


def test_layers_that_share_keys_learn_the_same_from_recomputed_activations(tmp_path: Path) -> None:
    base = build(tmp_path / "base", "gemma4_small")
    losses = []
    for is_recomputed in (False, True):
        folder = tmp_path / str(is_recomputed)
        folder.mkdir()
        metadata = train(folder, base, held_out=2, gradient_checkpointing=is_recomputed).metadata
        losses.append(metadata.metrics["after"]["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
