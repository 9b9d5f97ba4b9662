"""Merged weights say what base and adapter say together, and need nothing of ours to be loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_gemma import build_tiny_gemma
from tests.unit.workers.finetuning.conftest import FinishedRun
from workers.finetuning.errors import OutputInUseError
from workers.finetuning.merge import MergedDtype, merge_adapter
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError, WeightsNotFoundError
from workers.weights.metadata import AdapterMetadata

TEXT = "Article:\nThe river rose by four metres in two days.\n\nSummary:\n"


@pytest.fixture(scope="session")
def merged(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "weights"
    return merge_adapter(finished_run.config.base, finished_run.result.adapter, folder)


@torch.no_grad()
def compute_logits(network: Any, folder: Path) -> torch.Tensor:
    ids = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt").input_ids
    return network.eval()(input_ids=ids).logits


def test_merged_logits_equal_those_of_the_attached_adapter(finished_run: FinishedRun, merged: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(finished_run.config.base)
    attached = compute_logits(PeftModel.from_pretrained(base, finished_run.result.adapter), merged)
    reloaded = compute_logits(AutoModelForCausalLM.from_pretrained(merged), merged)
    assert torch.allclose(reloaded, attached, atol=1e-4)


def test_merged_logits_differ_from_those_of_the_base(finished_run: FinishedRun, merged: Path) -> None:
    base = compute_logits(AutoModelForCausalLM.from_pretrained(finished_run.config.base), merged)
    reloaded = compute_logits(AutoModelForCausalLM.from_pretrained(merged), merged)
    assert (reloaded - base).abs().max() > 0.1


def test_the_merged_folder_carries_tokenizer_and_note(finished_run: FinishedRun, merged: Path) -> None:
    assert AdapterMetadata.read(merged) == finished_run.result.metadata
    assert (merged / "tokenizer.json").is_file()
    assert list(merged.glob("*.safetensors"))


def test_another_base_is_refused(finished_run: FinishedRun, tmp_path: Path) -> None:
    other = build_tiny_gemma(tmp_path / "other", seed=7, chat=False)
    with pytest.raises(AdapterMismatchError, match="give it the base weights it was trained for"):
        merge_adapter(other, finished_run.result.adapter, tmp_path / "merged")


def test_the_same_base_in_another_precision_is_accepted(finished_run: FinishedRun, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(finished_run.config.base, half)
    AutoModelForCausalLM.from_pretrained(half, dtype=torch.bfloat16).save_pretrained(half)
    assert merge_adapter(half, finished_run.result.adapter, tmp_path / "merged").is_dir()


def test_weights_of_16_bits_are_merged_into_as_many_or_into_float32_without_rounding(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    half, adapter = tmp_path / "half", finished_run.result.adapter
    shutil.copytree(finished_run.config.base, half)
    AutoModelForCausalLM.from_pretrained(half, dtype=torch.bfloat16).save_pretrained(half)
    attached = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(half, dtype=torch.float32), adapter)
    expected = compute_logits(attached, half)
    exact = merge_adapter(half, adapter, tmp_path / "exact", dtype=MergedDtype.FLOAT32)
    rounded = AutoModelForCausalLM.from_pretrained(merge_adapter(half, adapter, tmp_path / "rounded"))
    assert torch.allclose(compute_logits(AutoModelForCausalLM.from_pretrained(exact), half), expected, atol=1e-4)
    assert rounded.dtype is torch.bfloat16


def test_a_folder_that_is_not_empty_is_not_written_to(finished_run: FinishedRun, merged: Path) -> None:
    with pytest.raises(OutputInUseError, match="is not empty"):
        merge_adapter(finished_run.config.base, finished_run.result.adapter, merged)


def test_a_folder_without_an_adapter_is_named(finished_run: FinishedRun, tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="holds no adapter"):
        merge_adapter(finished_run.config.base, tmp_path, tmp_path / "merged")


def test_an_adapter_of_unknown_origin_is_refused(finished_run: FinishedRun, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(finished_run.result.adapter, foreign, ignore=shutil.ignore_patterns("checkpoints", "gistmill.json"))
    with pytest.raises(AdapterUnreadableError, match=r"gistmill\.json cannot be read"):
        merge_adapter(finished_run.config.base, foreign, tmp_path / "merged")
