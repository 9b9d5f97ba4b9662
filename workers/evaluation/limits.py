"""When an evaluation has to stop: its deadline, or its job was cancelled."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from workers.evaluation.errors import EvaluationInterruptedError
from workers.generation import FinishReason


@dataclass(frozen=True, slots=True)
class StopConditions:
    """What ends an evaluation early.

    Args:
        deadline: ``time.monotonic`` value after which it ends; None for no limit.
        cancelled: ends it when set; None if it cannot be cancelled.
    """

    deadline: float | None = None
    cancelled: threading.Event | None = None

    def check(self, reason: FinishReason | None = None) -> None:
        """Go on only if nothing has ended the evaluation.

        Args:
            reason: why the latest generation ended, if there was one.

        Raises:
            EvaluationInterruptedError: it is over.
        """
        if reason is FinishReason.CANCELLED or (self.cancelled is not None and self.cancelled.is_set()):
            raise EvaluationInterruptedError("the evaluation was cancelled; nothing of it is kept")
        if reason is FinishReason.DEADLINE or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise EvaluationInterruptedError("the evaluation passed its deadline; give it more time or fewer questions")
