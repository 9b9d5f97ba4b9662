"""Weights folders of the hub's layout are served as their text network alone, in every quantization of a CPU."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    Gemma4TextConfig,
    Gemma4UnifiedTextConfig,
)

from tests.hub_folders import build_hub_folder
from tests.tiny_gemma import CONTROL_TOKENS
from workers.engine.config import EngineConfig
from workers.engine.cpu.onednn import has_onednn
from workers.engine.engine import Engine, load_engine
from workers.engine.pretrained import read_network
from workers.engine.prompt_counter import PromptCounter
from workers.generation import FinishReason, GenerationParams, Part, Prompt, PromptFormat, Turn

SIZES = {
    "vocab_size": 32_768,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "sliding_window": 32,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
SHARED = {"num_kv_shared_layers": 2, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 32_768}
END_OF_TURN = CONTROL_TOKENS.index("<end_of_turn>")
# Another token that ends a generation, as of weights whose list has more than the tokenizer's own.
OTHER_END = 3
FOLDERS: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "gemma3": ("gemma3", "old", lambda: Gemma3TextConfig(**SIZES, query_pre_attn_scalar=16)),
    "gemma3-new": ("gemma3", "new", lambda: Gemma3TextConfig(**SIZES, query_pre_attn_scalar=16)),
    "gemma3n": ("gemma3n", "new", lambda: Gemma3nTextConfig(**SIZES, **SHARED, laurel_rank=8, altup_num_inputs=2)),
    "gemma4": ("gemma4", "new", lambda: Gemma4TextConfig(**SIZES, **SHARED, global_head_dim=32)),
    "gemma4-experts": (
        "gemma4",
        "new",
        lambda: Gemma4TextConfig(
            **SIZES,
            global_head_dim=32,
            hidden_size_per_layer_input=0,
            enable_moe_block=True,
            num_experts=4,
            top_k_experts=2,
            moe_intermediate_size=32,
        ),
    ),
    "gemma4-unified": ("gemma4_unified", "new", lambda: Gemma4UnifiedTextConfig(**SIZES, global_head_dim=32)),
}
TOWERS = {
    "gemma3": {
        "mm_tokens_per_image": 1,
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
    }
}
QUANTIZATIONS = ["none", "half", "int8", "nf4", *(["bf16"] if has_onednn(torch.bfloat16) else [])]
GREEDY = GenerationParams(do_sample=False, max_new_tokens=8)
PROMPT = Prompt((Turn("user", (Part("We trained a single network on eight folds with a cosine schedule. " * 2),)),))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what writes a folder once."""
    folders: dict[str, Path] = {}

    def build_once(name: str) -> Path:
        if name not in folders:
            kind, layout, make_config = FOLDERS[name]
            whole = {"model_type": kind, "eos_token_id": [1, END_OF_TURN, OTHER_END], **TOWERS.get(kind, {})}
            folders[name] = build_hub_folder(
                tmp_path_factory.mktemp(name), make_config(), whole, layout=layout, ends=[1, OTHER_END]
            )
        return folders[name]

    return build_once


def serve(weights: Path, **settings: Any) -> Engine:
    return load_engine(EngineConfig(weights=str(weights), device="cpu", **{"quantization": "none", **settings}))


def generate_plainly(weights: Path, engine: Engine) -> str:
    """Return what transformers generates with all towers of a folder; those of Gemma 3n need a package of their own."""
    options = {"attn_implementation": "eager", "dtype": torch.float32}
    if json.loads((weights / "config.json").read_text())["model_type"] == "gemma3n":
        network = read_network(weights, **options)
    else:
        network = AutoModelForCausalLM.from_pretrained(weights, **options).eval()
        assert type(network).__name__.endswith("ForConditionalGeneration")
    ids = torch.tensor([engine.weights.tokenizer.encode_prompt(PROMPT)])
    output = network.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8)
    return engine.weights.tokenizer.decode(output[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("name", FOLDERS)
def test_the_text_network_of_a_folder_is_served_alone(build: Callable[[str], Path], name: str) -> None:
    with closing(serve(build(name))) as engine:
        assert engine.prompt_format is PromptFormat.CHAT
        assert not any("vision" in module for module, _ in engine.weights.network.named_modules())
        assert engine.generate(PROMPT, GREEDY).text == generate_plainly(build(name), engine)
        assert PromptCounter(str(build(name))).context_tokens == 512


@pytest.mark.parametrize("quantization", QUANTIZATIONS[1:])
@pytest.mark.parametrize("name", ["gemma3", "gemma3n", "gemma4", "gemma4-experts", "gemma4-unified"])
def test_a_folder_is_served_in_every_quantization_of_a_cpu(
    build: Callable[[str], Path], name: str, quantization: str
) -> None:
    with closing(serve(build(name), quantization=quantization)) as engine:
        exact = engine.generate(PROMPT, GREEDY)
        assert exact.completion_tokens
        assert engine.weights.placement.quantization == quantization


@pytest.mark.parametrize("name", ["gemma3", "gemma3n"])
def test_a_folder_is_saved_under_the_names_of_text_alone(
    build: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    network = read_network(build(name))
    network.save_pretrained(tmp_path)
    saved = read_network(tmp_path)
    assert all(key.startswith(("model.", "lm_head.")) and ".language_model." not in key for key in saved.state_dict())
    for key, tensor in network.state_dict().items():
        assert torch.equal(saved.state_dict()[key], tensor), key


def test_a_tower_without_use_is_no_warning(build: Callable[[str], Path], caplog: pytest.LogCaptureFixture) -> None:
    read_network(build("gemma3"))
    assert not caplog.records


def test_a_generation_ends_at_every_end_of_the_generation_config_or_else_of_the_whole_config(
    build: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(build("gemma3"), tmp_path / "gemma3"))
    assert read_network(folder).generation_config.eos_token_id == [1, OTHER_END]
    (folder / "generation_config.json").unlink()
    assert read_network(folder).generation_config.eos_token_id == [1, END_OF_TURN, OTHER_END]


def test_every_end_of_the_generation_config_ends_a_generation(build: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(build("gemma4"), tmp_path / "gemma4"))
    with closing(serve(folder)) as engine:
        whole = engine.generate(PROMPT, GREEDY)
    # Such a word's number is its id.
    ids = [int(number) for number in re.findall(r"word(\d+)", whole.text)]
    ends = {"eos_token_id": [1, ids[2]]}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    with closing(serve(folder)) as engine:
        generation = engine.generate(PROMPT, GREEDY)
    assert generation.finish_reason is FinishReason.STOP
    assert generation.completion_tokens < whole.completion_tokens == GREEDY.max_new_tokens
