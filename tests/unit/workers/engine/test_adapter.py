from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    Gemma3nTextConfig,
    Gemma4TextConfig,
    GemmaConfig,
    LlamaConfig,
    Qwen3Config,
)

from tests.tiny_gemma import build_tiny_family, build_tiny_gemma
from workers.engine.adapter import merge_adapter
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError, WeightsCorruptError, WeightsUnsafeError
from workers.weights.folder import ADAPTER_TENSORS, find_folder

Tensors = dict[str, torch.Tensor]
# PEFT warns of what we refuse.
pytestmark = pytest.mark.filterwarnings("ignore:Found missing adapter keys:UserWarning")


# And of weights that are tied, which we merge rightly.
TIED_WARNINGS = (
    "ignore:Model (with|has) `tie_word_embeddings=True`:UserWarning",
    "ignore:Setting `save_embedding_layers` to `True`:UserWarning",
    "ignore:Input and output embeddings are no longer tied:UserWarning",
)


SIZES: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "pad_token_id": 0,
}
SHARING = {
    **SIZES,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 2,
    "vocab_size_per_layer_input": 512,
    "hidden_size_per_layer_input": 8,
}
FAMILIES = {
    "gemma": GemmaConfig(**SIZES),
    "gemma3n": Gemma3nTextConfig(**SHARING, laurel_rank=8, altup_num_inputs=2),
    "gemma4": Gemma4TextConfig(**SHARING, global_head_dim=32),
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=False),
    "qwen3": Qwen3Config(**SIZES, tie_word_embeddings=True),
}
HEAD_SETTINGS: tuple[dict[str, Any], ...] = (
    {"target_modules": ["lm_head"]},
    {"target_modules": ["embed_tokens"]},
    {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    {"target_modules": ["q_proj"], "trainable_token_indices": [5, 30]},
)


@pytest.fixture
def foreign(adapter: Path, tmp_path: Path) -> Path:
    """A copy of a good adapter to make bad."""
    return Path(shutil.copytree(adapter, tmp_path / "foreign"))


def train_adapter(weights: Path, folder: Path, **settings: object) -> Path:
    """Write an adapter with random weights, as if trained."""
    network = AutoModelForCausalLM.from_pretrained(weights)
    adapted = get_peft_model(network, LoraConfig(r=4, task_type="CAUSAL_LM", **settings))
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder)
    return folder


def merge(weights: Path, adapter: Path) -> Any:
    return merge_adapter(AutoModelForCausalLM.from_pretrained(weights), folder=weights, adapter=adapter)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: {f"x.{name}": each for name, each in tensors.items()}, "it lacks base_model"),
        (lambda tensors: {name: each for name, each in tensors.items() if "layers.1." not in name}, "it lacks .*and 1"),
        (lambda tensors: tensors | {"base_model.model.layers.9.lora_A.weight": torch.ones(1)}, "nothing there takes"),
    ],
    ids=["prefix", "half", "more"],
)
def test_an_adapter_whose_tensors_do_not_go_where_its_config_says_is_refused(
    tiny_weights: Path, foreign: Path, change: Callable[[Tensors], Tensors], message: str
) -> None:
    save_file(change(load_file(foreign / ADAPTER_TENSORS)), foreign / ADAPTER_TENSORS, {"format": "pt"})
    with pytest.raises(AdapterMismatchError, match=f"does not fit .*{message}"):
        merge(tiny_weights, foreign)


def test_an_adapter_of_a_shallower_base_is_refused(adapter: Path, tmp_path: Path) -> None:
    deeper = build_tiny_gemma(tmp_path / "deeper", layers=4)
    with pytest.raises(AdapterMismatchError, match=r"does not fit .*it lacks .*layers\.3\."):
        merge(deeper, adapter)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", '{"peft_type": "PROMPT_TUNING"}', '{"peft_type": "X"}'])
def test_an_adapter_that_is_broken_or_no_lora_is_named(tiny_weights: Path, foreign: Path, text: str) -> None:
    (foreign / "adapter_config.json").write_text(text)
    with pytest.raises(AdapterUnreadableError, match=str(foreign)):
        merge(tiny_weights, foreign)


@pytest.mark.parametrize("values", [{"r": "x"}, {"r": 0}, {"target_modules": 5}, {"task_type": 5}, {"rank_pattern": 5}])
def test_an_adapter_with_settings_that_cannot_be_is_named(
    tiny_weights: Path, foreign: Path, values: dict[str, object]
) -> None:
    path = foreign / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(AdapterMismatchError, match=f"{foreign} .*does not fit"):
        merge(tiny_weights, foreign)


def test_an_adapter_whose_tensors_are_cut_is_damaged(tiny_weights: Path, foreign: Path) -> None:
    (foreign / ADAPTER_TENSORS).write_bytes((foreign / ADAPTER_TENSORS).read_bytes()[:-1])
    with pytest.raises(WeightsCorruptError, match=f"{ADAPTER_TENSORS} is damaged"):
        merge(tiny_weights, foreign)


def test_an_adapter_beside_other_tensors_is_refused_as_a_pickle(foreign: Path) -> None:
    (foreign / ADAPTER_TENSORS).rename(foreign / "other.safetensors")
    (foreign / "adapter_model.bin").write_bytes(b"\x80")
    with pytest.raises(WeightsUnsafeError, match="save it as safetensors"):
        find_folder(str(foreign), kind="adapter")


@torch.inference_mode()
@pytest.mark.filterwarnings(*TIED_WARNINGS)
@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["lm_head", "q_proj"]},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["embed_tokens", "lm_head"]},
        {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        {"target_modules": ["q_proj"], "trainable_token_indices": [5, 30]},
        {"target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [5], "lm_head": [7]}},
    ],
    ids=[
        *("head", "embedding", "both", "kept tied"),
        *("whole head", "whole embedding", "both whole", "whole, kept tied", "tokens", "tokens of both"),
    ],
)
def test_an_adapter_of_a_tied_head_or_embedding_says_merged_and_saved_what_it_said_apart(
    tiny_weights: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    with torch.inference_mode(mode=False):
        adapter = train_adapter(tiny_weights, tmp_path / "adapter", **settings)
    ids = torch.arange(3, 40).view(1, -1)
    apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_weights), adapter)
    expected = apart(input_ids=ids).logits
    merged = merge(tiny_weights, adapter)
    torch.testing.assert_close(merged(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-2)
    merged.save_pretrained(tmp_path / "merged")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(again(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-2)


@torch.inference_mode()
@pytest.mark.filterwarnings(*TIED_WARNINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_of_the_head_and_the_embedding_fit_every_family(tmp_path: Path, family: str) -> None:
    base = build_tiny_family(tmp_path / "base", FAMILIES[family])
    ids = torch.arange(3, 40).view(1, -1)
    for number, settings in enumerate(HEAD_SETTINGS):
        with torch.inference_mode(mode=False):
            adapter = train_adapter(base, tmp_path / str(number), **settings)
        apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
        merged = merge(base, adapter)
        torch.testing.assert_close(merged(input_ids=ids).logits, apart(input_ids=ids).logits, rtol=1e-4, atol=1e-2)


def test_a_merge_into_16_bits_rounds_the_sum_alone(tiny_weights: Path, adapter: Path) -> None:
    exact, rounded = (
        merge_adapter(network, folder=tiny_weights, adapter=adapter).state_dict()
        for network in (
            AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.bfloat16).float(),
            AutoModelForCausalLM.from_pretrained(tiny_weights, dtype=torch.bfloat16),
        )
    )
    assert all(torch.equal(rounded[name], weight.bfloat16()) for name, weight in exact.items())


def test_a_head_that_is_equal_to_its_embedding_is_tied_again(tiny_weights: Path, tmp_path: Path) -> None:
    adapter = train_adapter(tiny_weights, tmp_path, target_modules=["q_proj"], trainable_token_indices=[5, 30])
    merged = merge(tiny_weights, adapter)
    assert merged.lm_head.weight is merged.model.embed_tokens.weight


def test_an_adapter_that_repeats_layers_is_refused(tiny_weights: Path, foreign: Path) -> None:
    path = foreign / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layer_replication": [[0, 2], [1, 3]]}))
    with pytest.raises(AdapterMismatchError, match="it repeats layers"):
        merge(tiny_weights, foreign)


def test_a_head_stays_tied_that_no_adapter_changes(tiny_weights: Path, adapter: Path) -> None:
    merged = merge(tiny_weights, adapter)
    assert merged.lm_head.weight is merged.model.embed_tokens.weight
    assert merged.config.tie_word_embeddings


def test_a_head_of_its_own_stays_apart_from_the_embedding_though_neither_is_in_memory(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    base = build_tiny_family(tmp_path / "base", LlamaConfig(**sizes, vocab_size=512, tie_word_embeddings=False))
    adapter = train_adapter(base, tmp_path / "adapter", target_modules=["q_proj"])
    network = AutoModelForCausalLM.from_pretrained(base)
    network.lm_head.to("meta")
    network.model.embed_tokens.to("meta")
    merged = merge_adapter(network, folder=base, adapter=adapter)
    assert merged.lm_head.weight is not merged.model.embed_tokens.weight
