"""How far a training run is and when it will end, told to whoever listens."""

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
    """One line of news from a run.

    Args:
        step: optimizer steps done.
        steps: optimizer steps in all.
        loss: mean training loss per completion token since the last news.
        held_out_loss: the held-out loss, in the news that follow its measurement.
        seconds_left: estimate from this process's own pace; None until it has one.
    """

    step: int
    steps: int
    loss: float | None
    held_out_loss: float | None
    seconds_left: float | None


ProgressListener = Callable[[TrainingProgress], None]


def silence_libraries() -> None:
    """Keep the progress bars and hints of transformers from running into ours; errors are raised all the same."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # PEFT asks transformers for a property that it has renamed.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)


class ProgressCallback(TrainerCallback):
    """Turns the trainer's log entries into ``TrainingProgress``."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener
        self._started = 0.0
        self._first_step = 0

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_context: Any) -> None:
        """Start the clock; a resumed run counts its own steps only."""
        self._started = time.monotonic()
        self._first_step = state.global_step

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_context: Any
    ) -> None:
        """Pass a loss on; other log entries are not news."""
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
