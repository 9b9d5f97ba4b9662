from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

from workers.engine.config import EngineConfig
from workers.engine.errors import UnsupportedSettingError
from workers.engine.loading import load_weights
from workers.engine.pretrained import read_network
from workers.engine.tokenizer import PromptCounter
from workers.weights.errors import WeightsCorruptError, WeightsError, WeightsNotFoundError

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy of good weights to make bad."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "weights"))


def change_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def drop(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (drop("layers.1.mlp.up_proj"), r"\(model\.layers\.1\.mlp\.up_proj\.weight\)"),
        (drop("layers.1."), r"layers\.1\..* and 10 more\)"),
        (lambda tensors: {f"old.{name}": tensor for name, tensor in tensors.items()}, "embed_tokens"),
        (lambda tensors: tensors | {"model.norm.weight": torch.zeros(3)}, r"\(model\.norm\.weight\)"),
    ],
    ids=["tensor", "layer", "names", "shape"],
)
def test_tensors_that_are_missing_or_of_another_shape_are_named(
    folder: Path, change: Callable[[Tensors], Tensors], named: str
) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, {"format": "pt"})
    with pytest.raises(WeightsCorruptError, match=f"{folder} lacks tensors .*{named}"):
        load_weights(EngineConfig(weights=str(folder), quantization="none"))


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 4, "layer_types": None},
        LlamaConfig(hidden_size=64, num_hidden_layers=3, num_attention_heads=4, vocab_size=620).to_dict(),
    ],
    ids=["deeper", "llama"],
)
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_a_config_of_other_weights_is_refused(folder: Path, config: dict[str, object], quantization: str) -> None:
    change_config(folder, **config)
    with pytest.raises(WeightsCorruptError, match="lacks tensors"):
        load_weights(EngineConfig(weights=str(folder), quantization=quantization))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '{"model_type": "gemma3_text", "hidden_size": "x"}'])
def test_a_broken_config_is_an_error_of_the_engine(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    for read in (load_weights, lambda config: PromptCounter(config.weights)):
        with pytest.raises((WeightsCorruptError, UnsupportedSettingError), match=str(folder)):
            read(EngineConfig(weights=str(folder)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[("tokenizer.json", text) for text in ("", "{", "[]", "5", "{}")],
        *[("tokenizer_config.json", text) for text in ("", "{", "[]", '{"bos_token": 5}')],
    ],
)
def test_a_broken_tokenizer_is_named(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    for read in (load_weights, lambda config: PromptCounter(config.weights)):
        with pytest.raises(WeightsCorruptError, match=r"tokenizer\.json cannot be read"):
            read(EngineConfig(weights=str(folder)))


def test_weights_without_a_tokenizer_are_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    for read in (load_weights, lambda config: PromptCounter(config.weights)):
        with pytest.raises(WeightsNotFoundError, match="has no tokenizer"):
            read(EngineConfig(weights=str(folder)))


def test_tensors_of_a_file_that_is_damaged_within_are_an_error_of_the_engine(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"F32"', b'"X32"', 1))
    with pytest.raises(WeightsCorruptError, match=f"{folder} cannot be read"):
        read_network(folder)


def test_weights_without_the_file_that_transformers_looks_for_are_an_error_of_the_engine(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(WeightsError, match=f"{folder} cannot be read"):
        load_weights(EngineConfig(weights=str(folder), quantization="none"))
