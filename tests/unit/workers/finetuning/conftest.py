"""Pairs that a tiny Gemma can learn from, and one finished run that several tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pairs import finetune, write_pairs
from tests.tiny_gemma import build_tiny_gemma
from workers.finetuning.config import FinetuneConfig, SourceBudget, TrainingSettings
from workers.finetuning.lora import LoraSettings
from workers.finetuning.progress import TrainingProgress
from workers.finetuning.training import FinetuneResult


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run, what it was asked and what it told on the way."""

    config: FinetuneConfig
    result: FinetuneResult
    news: tuple[TrainingProgress, ...]


def build_config(folder: Path, base: Path, *, pairs: int = 24, **changes: object) -> FinetuneConfig:
    """Return a config of a run that takes seconds."""
    training = {"batch_size": 4, "accumulation": 1, "learning_rate": 1e-2, "warmup_steps": 1, "max_steps": 4}
    training |= dict(changes.pop("training", {}))  # type: ignore[call-overload]
    values: dict[str, object] = {
        "data": (write_pairs(folder / "pairs.csv", pairs),),
        "base": base,
        "output": folder / "adapter",
        "budget": SourceBudget(most=48),
        "held_out": 4,
        "generated": 2,
        "max_new_tokens": 8,
        "training": TrainingSettings(**training),  # type: ignore[arg-type]
    }
    return FinetuneConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def base_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma as it is before instruction tuning: no chat template."""
    return build_tiny_gemma(tmp_path_factory.mktemp("tiny-base") / "gemma", chat=False)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, base_weights: Path) -> FinishedRun:
    """One call that trains on 200 pairs."""
    news: list[TrainingProgress] = []
    config = build_config(
        tmp_path_factory.mktemp("run"),
        base_weights,
        pairs=212,
        held_out=12,
        lora=LoraSettings(r=6, alpha=12),
        training={"max_steps": None, "epochs": 2},
    )
    return FinishedRun(config, finetune(config, listener=news.append), tuple(news))
