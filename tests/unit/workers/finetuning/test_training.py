"""One call from a file of pairs to an adapter that has learned from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from safetensors.torch import load_file

from tests.pairs import finetune
from tests.unit.workers.finetuning.conftest import FinishedRun, build_config
from workers.finetuning.errors import DataUnreadableError, NotEnoughMemoryError, OutputInUseError, TrainingSettingsError
from workers.finetuning.lora import LoraSettings
from workers.finetuning.pairs import clean_pairs
from workers.finetuning.progress import TrainingProgress
from workers.generation import PromptFormat
from workers.weights.metadata import AdapterMetadata, fingerprint_base


def test_the_loss_falls_over_two_hundred_pairs(finished_run: FinishedRun) -> None:
    losses = [news.loss for news in finished_run.news if news.loss is not None]
    assert finished_run.result.metadata.data["pairs"] == 200
    assert fmean(losses[-10:]) < 0.7 * fmean(losses[:10])


def test_the_held_out_loss_is_lower_after_training_than_before(finished_run: FinishedRun) -> None:
    metrics = finished_run.result.metadata.metrics
    assert metrics["after"]["loss"] < metrics["before"]["loss"]


def test_the_adapter_learns_to_stop_by_itself(finished_run: FinishedRun) -> None:
    metrics = finished_run.result.metadata.metrics
    assert metrics["after"]["stopped_share"] >= metrics["before"]["stopped_share"]
    assert set(metrics["after"]) == {
        "loss",
        "rouge1",
        "rouge2",
        "rouge_l",
        "stopped_share",
        "mean_tokens",
        "tokenizers",
    }


def test_progress_tells_every_step_and_the_time_left(finished_run: FinishedRun) -> None:
    steps = [news for news in finished_run.news if news.loss is not None]
    assert [news.step for news in steps] == list(range(1, 101))
    assert all(news.seconds_left is not None and news.seconds_left >= 0 for news in steps)
    assert steps[-1].seconds_left == 0


def test_the_adapter_says_what_it_was_made_for_and_of(finished_run: FinishedRun) -> None:
    metadata = AdapterMetadata.read(finished_run.result.adapter)
    assert metadata == finished_run.result.metadata
    assert metadata.prompt_format is PromptFormat.COMPLETION
    assert metadata.prompt_style == "news"
    assert metadata.base_fingerprint == fingerprint_base(finished_run.config.base)
    assert metadata.training["lora"]["r"] == 6
    assert metadata.training["training"]["seed"] == 42


def test_only_the_seven_linear_layers_are_trained(finished_run: FinishedRun) -> None:
    tensors = load_file(finished_run.result.adapter / "adapter_model.safetensors")
    layers = {name.split(".lora_")[0].rpartition(".")[2] for name in tensors}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_weights_with_a_chat_template_are_trained_in_their_chat_format(tiny_weights: Path, tmp_path: Path) -> None:
    result = finetune(build_config(tmp_path, tiny_weights))
    assert result.metadata.prompt_format is PromptFormat.CHAT


def test_the_same_seed_gives_the_same_adapter(base_weights: Path, tmp_path: Path) -> None:
    adapters = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        adapters.append(finetune(build_config(tmp_path / name, base_weights)).adapter)
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in adapters)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_gradient_checkpointing_gives_the_same_loss(base_weights: Path, tmp_path: Path) -> None:
    losses = []
    for name, is_on in (("off", False), ("on", True)):
        (tmp_path / name).mkdir()
        config = build_config(tmp_path / name, base_weights, training={"gradient_checkpointing": is_on})
        losses.append(finetune(config).metadata.metrics["after"]["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_an_interrupted_run_resumes_and_ends_as_if_it_had_not_been(base_weights: Path, tmp_path: Path) -> None:
    def interrupt(news: TrainingProgress) -> None:
        if news.step == 5:
            raise KeyboardInterrupt

    adapters = []
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        config = build_config(tmp_path / name, base_weights, training={"max_steps": 8, "checkpoint_steps": 2})
        if name == "broken":
            with pytest.raises(KeyboardInterrupt):
                finetune(config, listener=interrupt)
            config = replace(config, resume=True)
        adapters.append(finetune(config).adapter)
    whole, broken = (load_file(folder / "adapter_model.safetensors") for folder in adapters)
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_resuming_before_the_first_checkpoint_begins_anew(base_weights: Path, tmp_path: Path) -> None:
    result = finetune(build_config(tmp_path, base_weights, resume=True))
    assert (result.adapter / "adapter_model.safetensors").is_file()


def test_a_held_out_part_can_be_switched_off(base_weights: Path, tmp_path: Path) -> None:
    result = finetune(build_config(tmp_path, base_weights, held_out=0, generated=0))
    assert result.metadata.metrics["before"] == {}


def test_a_missing_column_is_named_before_training_starts(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, target_column="summary")
    with pytest.raises(DataUnreadableError, match="no column 'summary'; give --target-column one of"):
        finetune(config)
    assert not config.output.exists()


def test_a_finished_adapter_is_not_overwritten(finished_run: FinishedRun) -> None:
    with pytest.raises(OutputInUseError, match="already holds an adapter"):
        finetune(finished_run.config)


def test_too_little_memory_is_said_before_training_starts(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, training={"batch_size": 10_000_000})
    with pytest.raises(NotEnoughMemoryError, match=r"needs about .* GiB and .* GiB are free: lower the batch size"):
        finetune(config)
    assert not config.output.exists()


def test_chats_of_weights_without_a_chat_template_are_refused(base_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingSettingsError, match="no chat template"):
        finetune(build_config(tmp_path, base_weights, prompt_format=PromptFormat.CHAT))


def test_the_run_record_names_data_and_settings(finished_run: FinishedRun) -> None:
    record = json.loads((finished_run.config.output / "checkpoints" / "run.json").read_text())
    assert record["data_hash"] == finished_run.result.metadata.data["hash"]
    assert record["training"]["learning_rate"] == 1e-2


def test_pairs_may_come_from_elsewhere_than_files(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, data=())
    pairs = clean_pairs([(f"The river rose by {number} metres.", "The river rose.") for number in range(20)])
    assert finetune(config, pairs=pairs).metadata.data["pairs"] == 16


def test_training_goes_on_from_a_trained_adapter(finished_run: FinishedRun, base_weights: Path, tmp_path: Path) -> None:
    start = finished_run.result.adapter
    config = build_config(tmp_path, base_weights, pairs=212, held_out=12, start=start, lora=LoraSettings(r=6, alpha=12))

    metadata = finetune(config).metadata

    assert metadata.metrics["before"]["loss"] == pytest.approx(finished_run.result.metadata.metrics["after"]["loss"])
    assert set(metadata.training["start"]) == {"adapter_config.json", "adapter_model.safetensors"}


def test_an_adapter_of_another_rank_is_no_start(finished_run: FinishedRun, base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, start=finished_run.result.adapter, lora=LoraSettings(r=4, alpha=8))
    with pytest.raises(TrainingSettingsError, match="has rank 6 and alpha 12: give --rank 6 --alpha 12"):
        finetune(config)


def test_grounded_training_counts_what_it_left_out(base_weights: Path, tmp_path: Path) -> None:
    metadata = finetune(build_config(tmp_path, base_weights, grounded=True)).metadata
    assert metadata.training["grounded"] is True
    assert metadata.data["pairs"] + metadata.data["held_out"] + metadata.data["left_out"] == 24
