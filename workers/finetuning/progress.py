"""Progress of a training run: the trainer's log entries as events with a time estimate."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback
from transformers.utils import logging


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress event of a run.

    Args:
        step: number of finished optimizer steps.
        steps: total number of optimizer steps.
        loss: mean training loss per completion token since the previous event; None in held-out events.
        held_out_loss: loss on the held-out pairs; None in other events.
        seconds_left: estimate from the speed of this process; None before its first step.
    """

    step: int
    steps: int
    loss: float | None
    held_out_loss: float | None
    seconds_left: float | None


ProgressListener = Callable[[TrainingProgress], None]


def silence_libraries() -> None:
    """Silence transformers' progress bars and hints, which would garble the progress output; errors still raise."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # PEFT uses a property that transformers has renamed.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)


class ProgressCallback(TrainerCallback):
    """Trainer callback that turns log entries into ``TrainingProgress``."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener
        self._started = 0.0
        self._first_step = 0

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_context: Any) -> None:
        """Start the clock; a resumed run measures its own steps only."""
        self._started = time.monotonic()
        self._first_step = state.global_step

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_context: Any
    ) -> None:
        """Report log entries with a loss."""
        logs = logs or {}
        if "loss" in logs or "eval_loss" in logs:
            self._listener(
                TrainingProgress(
                    step=state.global_step,
                    steps=state.max_steps,
                    loss=logs.get("loss"),
                    held_out_loss=logs.get("eval_loss"),
                    seconds_left=self._estimate_seconds_left(state),
                )
            )

    def _estimate_seconds_left(self, state: Any) -> float | None:
        done = state.global_step - self._first_step
        if done < 1:
            return None
        return (state.max_steps - state.global_step) * (time.monotonic() - self._started) / done
