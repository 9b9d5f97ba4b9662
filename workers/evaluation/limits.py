"""Stop conditions of an evaluation: a deadline, and the cancellation of its job."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from workers.evaluation.errors import EvaluationInterruptedError
from workers.generation import FinishReason


@dataclass(frozen=True, slots=True)
class StopConditions:
    """Conditions that end an evaluation early.

    Args:
        deadline: ``time.monotonic`` value of the end; None for no limit.
        cancelled: event of the cancellation; None if it cannot be cancelled.
    """

    deadline: float | None = None
    cancelled: threading.Event | None = None

    def check(self, reason: FinishReason | None = None) -> None:
        """Raise if a stop condition holds.

        Args:
            reason: finish reason of the latest generation, if any.

        Raises:
            EvaluationInterruptedError: cancelled, or past the deadline.
        """
        if reason is FinishReason.CANCELLED or (self.cancelled is not None and self.cancelled.is_set()):
            raise EvaluationInterruptedError("the evaluation was cancelled; nothing of it is kept")
        if reason is FinishReason.DEADLINE or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise EvaluationInterruptedError("the evaluation passed its deadline; give it more time or fewer questions")
