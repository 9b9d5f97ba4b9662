from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.tiny_gemma import build_tiny_gemma
from workers.generation import PromptFormat
from workers.weights.errors import AdapterUnreadableError, WeightsCorruptError, WeightsNotFoundError, WeightsUnsafeError
from workers.weights.fingerprint import begin_hashing, compute_fingerprint, has_same_tokenizer, hash_folder
from workers.weights.folder import (
    INDEX,
    METADATA_FILE,
    find_folder,
    list_tensors,
    read_metadata,
    read_prompt_format,
    write_metadata,
)
from workers.weights.metadata import AdapterMetadata, fingerprint_base


def test_a_folder_is_found_as_it_is(tiny_weights: Path) -> None:
    assert find_folder(str(tiny_weights)) == tiny_weights


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere/at/all", "~nobody/weights"])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"there is no weights folder .*check the path"):
        find_folder(name)


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"config\.json is missing"):
        find_folder(str(tmp_path))


def test_a_folder_without_tensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsNotFoundError, match=r"no \*\.safetensors"):
        find_folder(str(tmp_path))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(WeightsUnsafeError, match="save it as safetensors"):
        find_folder(str(tmp_path))


def test_an_adapter_folder_needs_an_adapter_config(tiny_weights: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"adapter_config\.json"):
        find_folder(str(tiny_weights), kind="adapter")


def test_weights_with_a_chat_template_want_to_chat_and_others_to_complete(tmp_path: Path) -> None:
    assert read_prompt_format(tmp_path, has_chat_template=True) is PromptFormat.CHAT
    assert read_prompt_format(tmp_path, has_chat_template=False) is PromptFormat.COMPLETION


def test_the_card_of_weights_overrules_their_template(tmp_path: Path) -> None:
    write_metadata(tmp_path, prompt_format=PromptFormat.COMPLETION, name="base")
    assert read_prompt_format(tmp_path, has_chat_template=True) is PromptFormat.COMPLETION


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "{}", '{"prompt_format": "song"}', '{"prompt_format": []}', "\udcff"]
)
def test_a_card_that_is_broken_or_of_somebody_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / METADATA_FILE).write_text(text, errors="surrogateescape")
    for read in (
        read_metadata,
        AdapterMetadata.read,
        lambda folder: read_prompt_format(folder, has_chat_template=True),
    ):
        with pytest.raises(WeightsCorruptError, match=r"gistmill\.json cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize(
    "values", [{}, {"prompt_style": "news", "base": "b", "base_fingerprint": 5}, {"whatever": "it says"}]
)
def test_a_card_that_is_no_note_of_an_adapter_is_named(tmp_path: Path, values: dict[str, object]) -> None:
    (tmp_path / METADATA_FILE).write_text(json.dumps({"prompt_format": "chat", **values}))
    with pytest.raises(AdapterUnreadableError, match=r"gistmill\.json is not the note of an adapter"):
        AdapterMetadata.read(tmp_path)


@pytest.mark.parametrize("cut", [-1, -1000, 1])
def test_a_tensor_file_of_another_size_than_its_header_tells_is_damaged(
    tiny_weights: Path, tmp_path: Path, cut: int
) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "cut"))
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:cut] if cut < 0 else whole + b"x")
    for read in (list_tensors, fingerprint_base):
        with pytest.raises(WeightsCorruptError, match=r"model\.safetensors is damaged .*bytes"):
            read(folder)


@pytest.mark.parametrize("missing", ["model-2.safetensors", "pytorch_model.bin", "../weights.safetensors"])
def test_a_file_that_the_index_names_must_be_safetensors_of_the_folder(
    tiny_weights: Path, tmp_path: Path, missing: str
) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "shards"))
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert find_folder(str(folder)) == folder
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": missing}}))
    with pytest.raises(WeightsCorruptError, match=f"its index names .{missing}"):
        find_folder(str(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 5}', '{"weight_map": {"a": []}}'])
def test_a_broken_index_is_named(tmp_path: Path, text: str) -> None:
    for name, content in (("config.json", "{}"), ("model-1.safetensors", ""), (INDEX, text)):
        (tmp_path / name).write_text(content)
    with pytest.raises(WeightsCorruptError, match=r"index\.json is damaged"):
        find_folder(str(tmp_path))


def test_tensors_are_listed_with_their_type_and_shape(tiny_weights: Path) -> None:
    tensors = list_tensors(tiny_weights)
    embedding = tensors["model.embed_tokens.weight"]
    assert (embedding.dtype, embedding.shape[1]) == ("F32", 64)
    assert embedding.elements == embedding.shape[0] * 64
    assert all(tensor.path == tiny_weights / "model.safetensors" for tensor in tensors.values())


def test_the_fingerprint_tells_apart_whatever_changes_the_output(tiny_weights: Path, tmp_path: Path) -> None:
    other = build_tiny_gemma(tmp_path / "other", seed=1)
    variants = [
        (tiny_weights, None, "float32", "none"),
        (other, None, "float32", "none"),
        (tiny_weights, other, "float32", "none"),
        (tiny_weights, None, "bfloat16", "none"),
        (tiny_weights, None, "float32", "int8"),
    ]
    prints = [
        compute_fingerprint(begin_hashing(folder, adapter).result(), dtype=dtype, quantization=quantization)
        for folder, adapter, dtype, quantization in variants
    ]
    assert len(set(prints)) == len(variants)


def test_the_fingerprint_does_not_depend_on_the_place(tiny_weights: Path, tmp_path: Path) -> None:
    copy = build_tiny_gemma(tmp_path / "copy")
    assert hash_folder(tiny_weights) == hash_folder(copy)


def test_a_hub_snapshot_is_known_by_its_commit(tmp_path: Path) -> None:
    folder = build_tiny_gemma(tmp_path / "snapshots" / "0123abc")
    before = hash_folder(folder)
    (folder / "config.json").write_text("{}")
    assert hash_folder(folder) == before


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_tokenizers_are_the_same_if_all_their_files_are(name: str, tiny_weights: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_weights, tmp_path / "copy"))
    assert has_same_tokenizer(tiny_weights, tiny_weights)
    assert has_same_tokenizer(tiny_weights, copy)
    with (copy / name).open("a") as file:
        file.write("\n")
    assert not has_same_tokenizer(tiny_weights, copy)
    (copy / name).unlink()
    assert has_same_tokenizer(tiny_weights, copy) is not (tiny_weights / name).exists()
