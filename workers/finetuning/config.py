"""Settings of a fine-tuning run, validated on construction, and the presets.

The command line takes choices and defaults from here, so this module imports no training library.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.lora import LoraSettings
from workers.generation import PromptFormat
from workers.summarization.wording import Style

# numpy accepts seeds of 32 bits.
MAX_SEED = 2**32 - 1
# Longer gradients are scaled down to this norm, as TRL and PEFT do by default.
MAX_GRADIENT_NORM = 1.0


class Optimizer(StrEnum):
    """Optimizer of the adapter; the paged one moves its state to main memory when the GPU is full."""

    ADAMW = "adamw_torch"
    ADAMW_8BIT = "adamw_8bit"
    PAGED_ADAMW_8BIT = "paged_adamw_8bit"


class Schedule(StrEnum):
    """Course of the learning rate after the warm-up."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant_with_warmup"


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Optimization settings of the adapter.

    Args:
        batch_size: pairs per forward pass on each device.
        accumulation: forward passes per optimizer step.
        learning_rate: peak, reached at the end of the warm-up.
        schedule: course of the learning rate after the warm-up.
        warmup_steps: optimizer steps from 0 to the peak learning rate.
        epochs: passes over the training pairs; ignored if ``max_steps`` is given.
        max_steps: number of optimizer steps; None counts epochs instead.
        optimizer: optimizer of the adapter.
        checkpoint_steps: optimizer steps between two checkpoints.
        evaluation_steps: optimizer steps between two held-out losses; None measures only before and after.
        gradient_checkpointing: recompute activations to save memory; slower.
        seed: seed of the split, the order, the source budgets and the adapter's initial values.
    """

    batch_size: int = 1
    accumulation: int = 4
    learning_rate: float = 5e-4
    schedule: Schedule = Schedule.LINEAR
    warmup_steps: int = 8
    epochs: float = 1.0
    max_steps: int | None = None
    optimizer: Optimizer = Optimizer.ADAMW
    checkpoint_steps: int = 25
    evaluation_steps: int | None = None
    gradient_checkpointing: bool = False
    seed: int = 42

    def __post_init__(self) -> None:
        checks = (
            (self.batch_size >= 1, "batch_size must be 1 or more"),
            (self.accumulation >= 1, "accumulation must be 1 or more"),
            (self.learning_rate > 0, "learning_rate must be above 0"),
            (self.warmup_steps >= 0, "warmup_steps must be 0 or more"),
            (self.epochs > 0, "epochs must be above 0"),
            (self.max_steps is None or self.max_steps >= 1, "max_steps must be 1 or more"),
            (self.checkpoint_steps >= 1, "checkpoint_steps must be 1 or more"),
            (0 <= self.seed <= MAX_SEED, f"seed must be from 0 to {MAX_SEED}"),
        )
        for is_valid, message in checks:
            if not is_valid:
                raise TrainingSettingsError(message)


@dataclass(frozen=True, slots=True)
class SourceBudget:
    """Maximum tokens of each source.

    Args:
        most: upper limit of every source.
        least: lower bound of a log-uniform draw of each source's limit, so that the adapter trains on short and long
            chunks alike; None gives every source the upper limit.
    """

    most: int
    least: int | None = None

    def __post_init__(self) -> None:
        if self.most < 1 or (self.least is not None and not 1 <= self.least <= self.most):
            raise TrainingSettingsError(
                f"source tokens must satisfy 1 <= least <= most, not {self.least} and {self.most}"
            )

    def draw(self, generator: random.Random) -> int:
        """Return the limit of the next source."""
        if self.least is None:
            return self.most
        return round(math.exp(generator.uniform(math.log(self.least), math.log(self.most))))


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """Configuration of one fine-tuning run.

    Args:
        data: CSV, JSONL or Parquet files with source-summary pairs; may be empty if pairs are passed directly.
        base: folder of the full-precision base weights.
        output: folder for the adapter; checkpoints go to its ``checkpoints``.
        source_column: column with the sources; None takes a usual name.
        target_column: column with the summaries; None takes a usual name.
        name: name of the base in the adapter's metadata; None takes the name of its folder.
        style: style of the summarization prompt for training and serving.
        template: the user's prompt, for the style ``custom``.
        prompt_format: chat or completion; None takes the format of the base.
        budget: maximum tokens of each source.
        grounded: train on grounded pairs, made from the given ones.
        start: folder of an adapter to train on from; None starts with an untrained one.
        lora: size and placement of the adapter.
        training: optimization settings.
        held_out: number of pairs excluded from training, for loss and ROUGE before and after.
        generated: number of held-out pairs that are also summarized and scored with ROUGE.
        max_new_tokens: maximum tokens of those summaries.
        qlora: quantize the base to 4-bit nf4 while training (QLoRA, Dettmers et al. 2023).
        resume: resume from the last checkpoint under ``output``.
    """

    data: tuple[Path, ...]
    base: Path
    output: Path
    source_column: str | None = None
    target_column: str | None = None
    name: str | None = None
    style: Style = "news"
    template: str | None = None
    prompt_format: PromptFormat | None = None
    budget: SourceBudget = field(default_factory=lambda: SourceBudget(most=512))
    grounded: bool = False
    start: Path | None = None
    lora: LoraSettings = field(default_factory=LoraSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    held_out: int = 50
    generated: int = 16
    max_new_tokens: int = 96
    qlora: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        if self.held_out < 0 or self.max_new_tokens < 1 or not 0 <= self.generated <= self.held_out:
            raise TrainingSettingsError(
                "held_out must be 0 or more, generated between 0 and held_out, max_new_tokens 1 or more"
            )


def apply_notebook_preset(config: FinetuneConfig) -> FinetuneConfig:
    """Return the config with the notebook's settings: QLoRA, rank 6, 12 steps of 4 pairs at 2e-4, 512 tokens."""
    training = replace(
        config.training,
        batch_size=1,
        accumulation=4,
        learning_rate=2e-4,
        warmup_steps=2,
        max_steps=12,
        optimizer=Optimizer.PAGED_ADAMW_8BIT,
    )
    # The notebook leaves alpha at PEFT's default of 8.
    return replace(
        config, lora=LoraSettings(r=6, alpha=8), training=training, budget=SourceBudget(most=512), qlora=True
    )
