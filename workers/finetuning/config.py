"""What a user can choose about a fine-tuning run, validated where it is made, and the presets.

The command line reads its choices and defaults from here, so nothing of the libraries that train is imported.
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

# What numpy takes: it has 32 bits.
MAX_SEED = 2**32 - 1


class Optimizer(StrEnum):
    """Which optimizer updates the adapter; the paged one keeps its state in main memory when the GPU is full."""

    ADAMW = "adamw_torch"
    ADAMW_8BIT = "adamw_8bit"
    PAGED_ADAMW_8BIT = "paged_adamw_8bit"


class Schedule(StrEnum):
    """How the learning rate goes after the warm-up."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant_with_warmup"


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the adapter is optimized.

    Args:
        batch_size: pairs per forward pass on each device.
        accumulation: forward passes per optimizer step.
        learning_rate: the highest one, reached at the end of the warm-up.
        warmup_steps: optimizer steps from 0 to the highest learning rate.
        epochs: passes over the training pairs; ignored if ``max_steps`` is given.
        max_steps: optimizer steps, if counted instead of epochs.
        checkpoint_steps: optimizer steps between two checkpoints.
        evaluation_steps: optimizer steps between two held-out losses; None: only before and after.
        gradient_checkpointing: recompute activations to save memory; slower.
        seed: for the split, the order, the source budgets and the adapter's first values.
    """

    batch_size: int = 1
    accumulation: int = 4
    learning_rate: float = 5e-4
    schedule: Schedule = Schedule.LINEAR
    warmup_steps: int = 8
    epochs: float = 1.0
    max_steps: int | None = None
    max_gradient_norm: float = 1.0
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
    """How many tokens of each source are kept.

    Args:
        most: no source is longer than this.
        least: if given, each source's limit is drawn (log-uniformly) between ``least`` and ``most``, so that the
            adapter meets short and long chunks alike.
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
    """One fine-tuning run.

    Args:
        data: CSV, JSONL or Parquet files with source-summary pairs; may be empty if pairs come from elsewhere.
        base: folder of the full-precision base weights.
        output: folder for the adapter; checkpoints go to its ``checkpoints``.
        name: what the adapter's note calls the base; None: the name of its folder.
        style: style of the summarization prompt that the adapter is trained under, and serves under.
        template: the user's own prompt, for the style ``custom``.
        prompt_format: chat or completion; None: as the base wants to be prompted.
        budget: how many tokens of each source are kept.
        held_out: pairs kept from training for loss and ROUGE before and after; 0: none.
        generated: held-out pairs that are also summarized and scored with ROUGE.
        max_new_tokens: length cap of those summaries.
        qlora: hold the base in 4-bit nf4 while training.
        resume: go on from the last checkpoint under ``output``.
    """

    data: tuple[Path, ...]
    base: Path
    output: Path
    source_column: str = "article"
    target_column: str = "highlights"
    name: str | None = None
    style: Style = "news"
    template: str | None = None
    prompt_format: PromptFormat | None = None
    budget: SourceBudget = field(default_factory=lambda: SourceBudget(most=512))
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
    # 8 is PEFT's default alpha, which the notebook left as it was.
    return replace(
        config, lora=LoraSettings(r=6, alpha=8), training=training, budget=SourceBudget(most=512), qlora=True
    )
