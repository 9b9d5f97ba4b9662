"""What is given on the command line reaches the run: first the preset, then every option."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click
import pytest

from gistmill.cli import finetune_options
from gistmill.cli.finetune_options import SUMMARIZE_ONLY, build_config, build_verifier_config
from models.errors import GistmillError
from workers.finetuning.config import FinetuneConfig, Optimizer, Schedule
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.verifier_config import VerifierConfig
from workers.generation import PromptFormat
from workers.summarization.wording import Style as WorkerStyle

START = FinetuneConfig(data=(), base=Path("base"), output=Path("out"))
VERIFIER = VerifierConfig(data=(), base=Path("base"), output=Path("out"))


def test_the_choices_are_those_of_the_run() -> None:
    command = click.command()(finetune_options.add_finetune_options(lambda **_: None))
    offered = {param.name: param.type.choices for param in command.params if isinstance(param.type, click.Choice)}

    assert set(get_args(WorkerStyle)) - {"few-shot"} == {*offered["style"], "custom"}
    assert offered["prompt_format"] == tuple(word.value for word in PromptFormat)
    assert offered["schedule"] == tuple(word.value for word in Schedule)
    assert offered["optimizer"] == tuple(word.value for word in Optimizer)


def test_nothing_given_is_the_default() -> None:
    assert build_config(START, {"rank": None, "preset": None}) == START


def test_options_reach_every_part_of_the_run() -> None:
    given = {"rank": 8, "source_tokens": 640, "least_source_tokens": 256, "steps": 5, "schedule": "cosine"}
    given |= {"held_out": 4, "prompt_format": "chat", "target_column": "summary", "gradient_checkpointing": True}
    config = build_config(START, given)
    assert (config.lora.r, config.lora.alpha) == (8, 16)
    assert (config.budget.most, config.budget.least) == (640, 256)
    assert (config.training.max_steps, config.training.schedule) == (5, Schedule.COSINE)
    assert (config.held_out, config.generated) == (4, 4)
    assert (config.prompt_format, config.target_column) == (PromptFormat.CHAT, "summary")
    assert config.training.gradient_checkpointing


def test_an_option_wins_over_the_preset() -> None:
    config = build_config(START, {"preset": "notebook", "steps": 3, "qlora": None})
    assert (config.training.max_steps, config.qlora, config.lora.alpha) == (3, True, 8)


def test_qlora_takes_the_paged_optimizer_unless_another_is_given() -> None:
    assert build_config(START, {"qlora": True}).training.optimizer is Optimizer.PAGED_ADAMW_8BIT
    assert build_config(START, {"qlora": True, "optimizer": "adamw_torch"}).training.optimizer is Optimizer.ADAMW


def test_a_prompt_file_makes_the_style_custom(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("In one line: {text}")
    config = build_config(START, {"prompt": prompt})
    assert (config.style, config.template) == ("custom", "In one line: {text}")


@pytest.mark.parametrize(("content", "message"), [(b"no place", "exactly once"), (b"\xff\xfe\x00", "save it as UTF-8")])
def test_a_prompt_that_cannot_be_used_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_bytes(content)
    with pytest.raises(GistmillError, match=message):
        build_config(START, {"prompt": tmp_path / "prompt.txt"})


def test_nothing_given_is_the_default_of_a_verifier() -> None:
    assert build_verifier_config(VERIFIER, {"rank": None, "preset": None, "name": None}) == VERIFIER


def test_options_reach_every_part_of_a_verifier() -> None:
    given = {"rank": 8, "dropout": 0.1, "source_tokens": 200, "least_source_tokens": 100, "epochs": 2.0}
    given |= {"held_out": 4, "schedule": "linear", "target_column": "summary", "accumulation": 2, "seed": 3}
    config = build_verifier_config(VERIFIER, given)
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (8, 16, 0.1)
    assert (config.budget.most, config.budget.least) == (200, 100)
    assert (config.training.epochs, config.training.schedule) == (2.0, Schedule.LINEAR)
    assert (config.training.accumulation, config.training.seed) == (2, 3)
    assert (config.held_out, config.target_column) == (4, "summary")


def test_a_small_budget_of_a_verifier_lowers_its_smallest_excerpt() -> None:
    budget = build_verifier_config(VERIFIER, {"source_tokens": 100}).budget
    assert (budget.most, budget.least) == (100, 100)


@pytest.mark.parametrize("name", SUMMARIZE_ONLY)
def test_an_option_that_does_not_fit_a_verifier_is_refused_by_name(name: str) -> None:
    with pytest.raises(
        TrainingSettingsError, match=f"--{name.replace('_', '-')} is for --task summarize: leave it out"
    ):
        build_verifier_config(VERIFIER, {name: "x"})


def test_every_option_is_used_or_refused_for_a_verifier() -> None:
    command = click.command()(finetune_options.add_finetune_options(lambda **_: None))
    used = {*finetune_options.LORA, *finetune_options.BUDGET, *finetune_options.TRAINING}
    used |= {"task", "source_column", "target_column", "held_out"}
    assert {param.name for param in command.params} <= used | set(SUMMARIZE_ONLY)
