"""The loss over completion positions only is the same number as the loss over all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.pairs import read_pair_files
from tests.unit.workers.finetuning.conftest import build_config
from workers.finetuning.trainer import CompletionTrainer, build_arguments
from workers.finetuning.training import build_trainer, gather_material


@pytest.fixture
def trainer(base_weights: Path, tmp_path: Path) -> CompletionTrainer:
    config = build_config(tmp_path, base_weights)
    return build_trainer(config, gather_material(config, read_pair_files(config)), lambda _: None)


def test_the_loss_equals_that_of_transformers_own_head(trainer: CompletionTrainer, base_weights: Path) -> None:
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        ours = trainer.compute_loss(trainer.model, dict(batch))
        theirs = AutoModelForCausalLM.from_pretrained(base_weights)(**batch).loss
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-4)


def test_the_head_scores_only_positions_before_completion_tokens(trainer: CompletionTrainer) -> None:
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        _, outputs = trainer.compute_loss(trainer.model, dict(batch), return_outputs=True)
    positions = int((batch["labels"] != -100).any(dim=0).sum())
    assert outputs.logits.shape[1] == positions < batch["labels"].shape[1]


def test_a_loss_summed_over_accumulation_steps_is_divided_by_all_their_tokens(trainer: CompletionTrainer) -> None:
    batch = next(iter(trainer.get_train_dataloader()))
    tokens = (batch["labels"] != -100).sum()
    with torch.no_grad():
        alone = trainer.compute_loss(trainer.model, dict(batch))
        half = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=2 * tokens)
    assert half.item() == pytest.approx(alone.item() / 2, rel=1e-5)


def test_settings_reach_trl_and_rows_are_not_cut_again(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, training={"learning_rate": 3e-4, "warmup_steps": 7, "seed": 3})
    arguments = build_arguments(config, gather_material(config, read_pair_files(config)).placement)
    assert (arguments.learning_rate, arguments.warmup_steps, arguments.seed) == (3e-4, 7, 3)
    assert arguments.max_length is None
    assert arguments.activation_checkpointing is False
