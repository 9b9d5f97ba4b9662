"""Hostile weights: a folder that wants to run code when it is loaded."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.engine.errors import UnsupportedPromptError
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import Part, Prompt, Turn
from workers.weights.errors import WeightsCorruptError, WeightsError, WeightsUnsafeError
from workers.weights.folder import HUB_FILES


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy of good weights to make bad."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "weights"))


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def load(folder: Path) -> None:
    load_engine(EngineConfig(weights=str(folder), slots=2), on_fatal=lambda: None).close()


def test_pickled_weights_are_refused_and_never_opened(weights: Path, tmp_path: Path) -> None:
    for tensors in weights.glob("*.safetensors"):
        tensors.unlink()
    (weights / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "bomb")))
    with pytest.raises(WeightsUnsafeError, match="safetensors"):
        load(weights)
    assert not (tmp_path / "bomb").exists()


def test_pickled_weights_beside_good_ones_are_not_opened(weights: Path, tmp_path: Path) -> None:
    (weights / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "bomb")))
    load(weights)
    assert not (tmp_path / "bomb").exists()


@pytest.mark.filterwarnings("ignore:Found missing adapter keys:UserWarning")
def test_a_pickled_adapter_is_refused_and_never_opened(weights: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "bomb")))
    shutil.copy(weights / "model.safetensors", adapter / "decoy.safetensors")
    with pytest.raises(WeightsUnsafeError, match="safetensors"):
        load_engine(EngineConfig(weights=str(weights), adapter=str(adapter), slots=2)).close()
    assert not (tmp_path / "bomb").exists()


def test_code_that_comes_with_weights_is_not_run(weights: Path, tmp_path: Path) -> None:
    code = f"import os\nos.mkdir({str(tmp_path / 'bomb')!r})\nclass Evil: ...\n"
    (weights / "modeling_evil.py").write_text(code)
    for name in ("config.json", "tokenizer_config.json"):
        evil = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "modeling_evil.Evil")
        change_json(weights / name, auto_map=evil | {"AutoTokenizer": [None, "modeling_evil.Evil"]})
    # Refusing them is as good as serving them without their code.
    with contextlib.suppress(WeightsError):
        load(weights)
    assert not (tmp_path / "bomb").exists()


def test_no_file_that_can_carry_code_is_downloaded() -> None:
    assert not [pattern for pattern in HUB_FILES if pattern.endswith((".py", ".bin", ".pt", ".pkl", "*"))]


def test_a_chat_template_cannot_reach_out_of_its_sandbox(weights: Path) -> None:
    (weights / "chat_template.jinja").unlink(missing_ok=True)
    change_json(weights / "tokenizer_config.json", chat_template="{{ ''.__class__.__mro__[1].__subclasses__() }}")
    tokenizer = PromptTokenizer(AutoTokenizer.from_pretrained(weights))
    with pytest.raises(UnsupportedPromptError, match="unsafe"):
        tokenizer.encode_prompt(Prompt((Turn("user", (Part("Hello"),)),)))


@pytest.mark.parametrize("head", [(2**60).to_bytes(8, "little"), b"", (4).to_bytes(8, "little") + b"null"])
def test_a_tensor_file_that_is_cut_or_lies_about_its_size_is_a_clear_error(weights: Path, head: bytes) -> None:
    [tensors] = weights.glob("*.safetensors")
    tensors.write_bytes(head)
    with pytest.raises(WeightsCorruptError, match="is damaged"):
        load(weights)
