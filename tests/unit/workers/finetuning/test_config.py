"""Settings are refused where they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.finetuning.config import FinetuneConfig, Optimizer, TrainingSettings, apply_notebook_preset
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.lora import LoraSettings


def build_config(**changes: object) -> FinetuneConfig:
    values: dict[str, object] = {"data": (Path("pairs.csv"),), "base": Path("base"), "output": Path("out")}
    return FinetuneConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("batch_size", 0),
        ("accumulation", 0),
        ("learning_rate", 0.0),
        ("warmup_steps", -1),
        ("epochs", 0),
        ("max_steps", 0),
        ("seed", -1),
        ("seed", 2**32),
    ],
)
def test_a_training_setting_out_of_range_is_named(setting: str, value: float) -> None:
    with pytest.raises(TrainingSettingsError, match=setting):
        TrainingSettings(**{setting: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"r": 0}, {"alpha": 0}, {"dropout": 1.0}])
def test_an_adapter_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingSettingsError, match="LoRA needs"):
        LoraSettings(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"held_out": -1}, {"generated": 60}, {"max_new_tokens": 0}])
def test_a_run_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingSettingsError):
        build_config(**changes)


def test_the_notebook_preset_has_the_notebooks_settings() -> None:
    config = apply_notebook_preset(build_config())
    training = config.training
    assert (config.lora.r, config.lora.alpha, config.qlora, config.budget.most) == (6, 8, True, 512)
    assert (training.batch_size, training.accumulation, training.warmup_steps, training.max_steps) == (1, 4, 2, 12)
    assert (training.learning_rate, training.optimizer) == (2e-4, Optimizer.PAGED_ADAMW_8BIT)
