"""Adapters that other tools made for multimodal weights change their text tower as they change the whole network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma3Config, Gemma4Config

from workers.engine.adapter import merge_adapter
from workers.engine.adapter_names import TowerNames
from workers.engine.pretrained import read_network
from workers.weights.errors import AdapterMismatchError
from workers.weights.folder import ADAPTER_TENSORS

TEXT = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "sliding_window": 32,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
SHARING = {
    "global_head_dim": 32,
    "vocab_size_per_layer_input": 512,
    "hidden_size_per_layer_input": 8,
    "num_kv_shared_layers": 2,
}
CONFIGS = {
    "gemma3": Gemma3Config(
        text_config={**TEXT, "query_pre_attn_scalar": 16},
        vision_config={**VISION, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
    ),
    "gemma4": Gemma4Config(text_config={**TEXT, **SHARING}, vision_config=VISION),
}
LAYERS = "model.language_model.layers"
# As other tools choose layers: by name, by whole names, and by patterns.
SETTINGS: dict[str, dict[str, Any]] = {
    "whole names": {"target_modules": [f"{LAYERS}.0.self_attn.q_proj", f"{LAYERS}.3.mlp.down_proj"]},
    "pattern": {"target_modules": r".*language_model.*\.(q_proj|o_proj|up_proj)"},
    "some layers": {
        "target_modules": r"model\.language_model\.layers\.\d+\.mlp\.(gate_proj|down_proj)",
        "exclude_modules": r"model\.language_model\.layers\.2\..*",
    },
    "ranks": {
        "target_modules": r".*language_model.*\.(q_proj|up_proj)",
        "rank_pattern": {f"{LAYERS}.1.self_attn.q_proj": 8, "up_proj": 2},
        "alpha_pattern": {r"model.language_model.layers.\d+.mlp.up_proj": 16},
    },
    "whole embedding": {
        "target_modules": r".*language_model.*\.q_proj",
        "modules_to_save": ["model.language_model.embed_tokens"],
    },
    "tokens": {
        "target_modules": r".*language_model.*\.q_proj",
        "trainable_token_indices": {"model.language_model.embed_tokens": [5, 9]},
    },
}
# PEFT warns of what is merged rightly, and of what is refused.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Found missing adapter keys:UserWarning",
    "ignore:Model (with|has) `tie_word_embeddings=True`:UserWarning",
    "ignore:Setting `save_embedding_layers` to `True`:UserWarning",
)


@pytest.fixture(scope="module", params=CONFIGS)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("towers") / "weights"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(CONFIGS[request.param]).save_pretrained(folder)
    return folder


def train_adapter(weights: Path, folder: Path, **settings: Any) -> Any:
    """Write an adapter of the whole network with random weights, as if trained, and return the adapted network."""
    network = AutoModelForCausalLM.from_pretrained(weights)
    adapted = get_peft_model(network, LoraConfig(r=4, task_type="CAUSAL_LM", **settings))
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder)
    return adapted.eval()


def rename_older(folder: Path) -> None:
    """Rename everything in an adapter's files as tools did before transformers 4.52."""
    path = folder / ADAPTER_TENSORS
    tensors = {
        name.replace("model.language_model.", "language_model.model."): each for name, each in load_file(path).items()
    }
    save_file(tensors, path, {"format": "pt"})
    config = json.dumps(json.loads((folder / "adapter_config.json").read_text()))
    for newer, older in (
        ("model.language_model.", "language_model.model."),
        (r"model\\.language_model\\.", r"language_model\\.model\\."),
    ):
        config = config.replace(newer, older)
    (folder / "adapter_config.json").write_text(config)


def merge(weights: Path, adapter: Path) -> Any:
    return merge_adapter(read_network(weights), folder=weights, adapter=adapter)


@torch.inference_mode()
def compute_logits(network: Any) -> torch.Tensor:
    logits: torch.Tensor = network(input_ids=torch.arange(3, 60).view(1, -1)).logits
    return logits


@pytest.mark.parametrize("is_older", [False, True], ids=["newer", "older"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_an_adapter_of_the_whole_network_says_the_same_in_its_text_tower(
    weights: Path, tmp_path: Path, settings: dict[str, Any], is_older: bool
) -> None:
    expected = compute_logits(train_adapter(weights, tmp_path, **settings))
    if is_older:
        rename_older(tmp_path)
    torch.testing.assert_close(compute_logits(merge(weights, tmp_path)), expected, rtol=1e-4, atol=1e-2)


def test_layers_of_other_towers_are_left_out(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    AutoModelForCausalLM.from_config(CONFIGS["gemma3"]).save_pretrained(weights)
    adapted = train_adapter(weights, tmp_path / "adapter", target_modules=["q_proj", "down_proj", "fc1"])
    assert any("vision_tower" in name for name in load_file(tmp_path / "adapter" / ADAPTER_TENSORS))
    merged = compute_logits(merge(weights, tmp_path / "adapter"))
    torch.testing.assert_close(merged, compute_logits(adapted), rtol=1e-4, atol=1e-2)


def test_half_an_adapter_of_the_whole_network_is_refused(weights: Path, tmp_path: Path) -> None:
    train_adapter(weights, tmp_path, target_modules=r".*language_model.*\.q_proj")
    tensors = load_file(tmp_path / ADAPTER_TENSORS)
    save_file({name: each for name, each in tensors.items() if "layers.1." not in name}, tmp_path / ADAPTER_TENSORS)
    with pytest.raises(AdapterMismatchError, match=r"does not fit .*it lacks .*layers\.1\."):
        merge(weights, tmp_path)


def test_an_adapter_of_another_tower_alone_is_refused(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    AutoModelForCausalLM.from_config(CONFIGS["gemma3"]).save_pretrained(weights)
    train_adapter(weights, tmp_path / "adapter", target_modules=["fc1"])
    with pytest.raises(AdapterMismatchError, match="does not fit"):
        merge(weights, tmp_path / "adapter")


def test_keys_of_layers_that_share_them_are_left_out(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    AutoModelForCausalLM.from_config(CONFIGS["gemma4"]).save_pretrained(weights)
    adapted = train_adapter(weights, tmp_path / "adapter", target_modules=r".*language_model.*\.k_proj")
    tensors = load_file(tmp_path / "adapter" / ADAPTER_TENSORS)
    # As trained with earlier versions, in which every layer had keys of its own.
    extra = {
        name.replace("layers.1.", "layers.3."): each.clone() for name, each in tensors.items() if "layers.1." in name
    }
    save_file(tensors | extra, tmp_path / "adapter" / ADAPTER_TENSORS, {"format": "pt"})
    merged = compute_logits(merge(weights, tmp_path / "adapter"))
    torch.testing.assert_close(merged, compute_logits(adapted), rtol=1e-4, atol=1e-2)


def test_adapters_of_text_weights_keep_their_names() -> None:
    assert TowerNames.find(["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"]) is None
