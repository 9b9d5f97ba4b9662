"""Metrics: numbers with their evidence, or the reason for the absence of a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.evaluation.errors import MetricError

# Scores of a whole summary; the first has the evidence.
SCORES = ("consistency", "least_support")

# JSON values.
Evidence = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Metric:
    """Measured quality of one summary.

    Args:
        value: the number; None if it is not measurable.
        reason: reason for the absence of a number; None if there is one.
        evidence: basis of the number, as JSON values.

    Raises:
        MetricError: there is neither a number nor a reason, or both.
    """

    value: float | None
    reason: str | None = None
    evidence: Evidence = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise MetricError("a metric has either a value or the reason why it is not measurable")


def reject(reason: str, evidence: Evidence | None = None) -> Metric:
    """Return a metric that is not measurable."""
    return Metric(None, reason, evidence or {})
