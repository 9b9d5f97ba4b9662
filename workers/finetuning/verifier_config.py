"""Settings of a run that trains a verifier.

The command line takes its defaults from here, so this module imports no training library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from workers.finetuning.config import Schedule, SourceBudget, TrainingSettings
from workers.finetuning.errors import TrainingSettingsError
from workers.finetuning.lora import LoraSettings

# Claims of a text in one step; more would lengthen its forward pass. Each step draws them anew.
MAX_STEP_CLAIMS = 9


@dataclass(frozen=True, slots=True)
class VerifierConfig:
    """Configuration of a run that trains a verifier.

    Args:
        data: files of claims, and tables of source-summary pairs from which claims are made; may be empty if claims are
            passed directly.
        base: folder of the full-precision base weights.
        output: folder for the verifier; checkpoints go to its ``checkpoints``.
        source_column: column with the sources, in tables; None takes a usual name.
        target_column: column with the summaries, in tables; None takes a usual name.
        name: name of the base in the verifier's metadata; None takes the name of its folder.
        budget: maximum tokens of each excerpt.
        lora: size of the adapter.
        training: optimization settings; a batch is one text with its claims.
        head_learning_rate: peak of the head's learning rate; that of the training is the adapter's.
        held_out: number of texts excluded from training, to measure and to choose the threshold.
        resume: resume from the last checkpoint under ``output``.
    """

    data: tuple[Path, ...]
    base: Path
    output: Path
    source_column: str | None = None
    target_column: str | None = None
    name: str | None = None
    budget: SourceBudget = field(default_factory=lambda: SourceBudget(most=320, least=160))
    lora: LoraSettings = field(default_factory=lambda: LoraSettings(r=16, alpha=32))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            accumulation=2, learning_rate=3e-4, schedule=Schedule.COSINE, warmup_steps=20
        )
    )
    head_learning_rate: float = 2e-3
    held_out: int = 50
    resume: bool = False

    def __post_init__(self) -> None:
        if self.held_out < 0 or self.training.batch_size != 1 or self.head_learning_rate <= 0:
            raise TrainingSettingsError(
                "held_out must be 0 or more, batch_size 1, as a batch is one text, and head_learning_rate above 0"
            )
