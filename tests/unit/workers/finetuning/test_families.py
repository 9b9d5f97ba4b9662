"""Adapters of every architecture say merged what they say attached, and change the text network alone."""

from __future__ import annotations

from collections.abc import Callable
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
    Gemma3Config,
    Gemma3nConfig,
    Gemma3TextConfig,
    Gemma4Config,
    Gemma4UnifiedConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Qwen3Config,
    VaultGemmaConfig,
)

from tests.pairs import finetune
from tests.tiny_gemma import build_tiny_family
from tests.tiny_multimodal import OLDER_LAYOUT, build_tiny_multimodal
from tests.unit.workers.finetuning.conftest import build_config
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.engine.pretrained import read_network
from workers.engine.tokenizer import PromptTokenizer
from workers.finetuning.lora import LoraSettings
from workers.finetuning.merge import merge_adapter
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
GEMMA4_TURNS = ("<|turn>", "<turn|>")
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


def build_gemma4(text: dict[str, Any]) -> Callable[[Path], Path]:
    return lambda folder: build_tiny_multimodal(
        folder, Gemma4Config(text_config=text, vision_config=VISION), dtype="float32", turns=GEMMA4_TURNS
    )


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "gemma": lambda folder: build_tiny_family(folder, GemmaConfig(**SIZES)),
    "gemma2": lambda folder: build_tiny_family(folder, Gemma2Config(**SIZES, **CAPPED, sliding_window=32)),
    "gemma3": lambda folder: build_tiny_family(folder, Gemma3TextConfig(**WINDOW, query_pre_attn_scalar=16)),
    "gemma3_towers": lambda folder: build_tiny_multimodal(
        folder,
        Gemma3Config(text_config={**WINDOW, "query_pre_attn_scalar": 16}, vision_config=VISION),
        layout=OLDER_LAYOUT,
        dtype="float32",
    ),
    "gemma3n": lambda folder: build_tiny_multimodal(
        folder, Gemma3nConfig(text_config={**SHARING, "laurel_rank": 8, "altup_num_inputs": 2}), dtype="float32"
    ),
    # As 31B: larger heads in layers with full attention, fewer of them, and no projection of their values.
    "gemma4": build_gemma4({**GEMMA4, "attention_k_eq_v": True, "num_global_key_value_heads": 1}),
    # As E2B: an embedding for each layer, and last layers that share keys.
    "gemma4_small": build_gemma4({**SHARING, "global_head_dim": 32, "use_double_wide_mlp": True}),
    # As 26B-A4B.
    "gemma4_experts": build_gemma4(
        {**GEMMA4, "enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32}
    ),
    "gemma4_unified": lambda folder: build_tiny_multimodal(
        folder,
        Gemma4UnifiedConfig(text_config={**WINDOW, "global_head_dim": 32}),
        dtype="float32",
        turns=GEMMA4_TURNS,
    ),
    "vaultgemma": lambda folder: build_tiny_family(folder, VaultGemmaConfig(**SIZES, **CAPPED, sliding_window=32)),
    "llama": lambda folder: build_tiny_family(
        folder, LlamaConfig(**SIZES, tie_word_embeddings=False), turns=("<|start_header_id|>", "<|eot_id|>")
    ),
    "qwen3": lambda folder: build_tiny_family(
        folder, Qwen3Config(**SIZES, tie_word_embeddings=True), turns=("<|im_start|>", "<|im_end|>")
    ),
    "mistral": lambda folder: build_tiny_family(
        folder, MistralConfig(**SIZES, sliding_window=32, tie_word_embeddings=False), turns=("[INST]", "</s>")
    ),
}
GREEDY = GenerationParams(do_sample=False, max_new_tokens=12)
PROMPTS = [
    Prompt((Turn("user", (Part(text),)),), format=PromptFormat.CHAT)
    for text in ("The river rose by four metres.", "Engineers measured the piers. " * 5)
]


@pytest.fixture
def trained(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Return random weights of a family and an adapter after three steps."""
    base = FAMILIES[request.param](tmp_path / "base")
    config = build_config(
        tmp_path,
        base,
        pairs=8,
        held_out=2,
        generated=1,
        max_new_tokens=2,
        lora=LoraSettings(r=4, alpha=16),
        training={"batch_size": 2, "max_steps": 3, "learning_rate": 0.05},
    )
    return base, finetune(config).adapter


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


@pytest.mark.parametrize("trained", FAMILIES, indirect=True)
def test_an_adapter_says_merged_and_served_what_it_says_attached(trained: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = trained
    merged = merge_adapter(base, adapter, tmp_path / "merged")
    before = compute_logits(read_network(base))
    attached = PeftModel.from_pretrained(read_network(base, attn_implementation="eager"), adapter).eval()
    expected = compute_logits(attached)
    assert (expected - before).abs().max() > 0.1
    torch.testing.assert_close(
        compute_logits(AutoModelForCausalLM.from_pretrained(merged)), expected, rtol=1e-4, atol=1e-3
    )
    with closing(load_engine(EngineConfig(weights=str(merged), quantization="none", batch_tokens=64))) as engine:
        for prompt in PROMPTS:
            assert engine.generate(prompt, GREEDY).text == generate(attached, engine.weights.tokenizer, prompt)


@pytest.mark.parametrize("trained", ["gemma3_towers", "gemma4_small"], indirect=True)
def test_an_adapter_of_multimodal_weights_has_layers_of_the_text_tower_alone(trained: tuple[Path, Path]) -> None:
    _, adapter = trained
    assert all(name.startswith("base_model.model.model.layers.") for name in load_file(adapter / ADAPTER_TENSORS))
