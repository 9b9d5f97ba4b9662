from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.tiny_gemma import build_tiny_gemma
from workers.engine.adapter import merge_adapter
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError, WeightsCorruptError, WeightsUnsafeError
from workers.weights.folder import ADAPTER_TENSORS, find_folder

Tensors = dict[str, torch.Tensor]
# PEFT warns of what we refuse.
pytestmark = pytest.mark.filterwarnings("ignore:Found missing adapter keys:UserWarning")


@pytest.fixture
def foreign(adapter: Path, tmp_path: Path) -> Path:
    """A copy of a good adapter to make bad."""
    return Path(shutil.copytree(adapter, tmp_path / "foreign"))


def merge(weights: Path, adapter: Path) -> object:
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
