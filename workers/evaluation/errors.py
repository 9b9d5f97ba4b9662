"""Errors of evaluation.

EvaluationError
├── MetricError    a metric has neither a value nor a reason, or both: the caller's bookkeeping is wrong
├── EvaluationInterruptedError  the job was cancelled, or the deadline has passed
└── PairingError   two lists that belong together have different lengths, or share no document
"""

from __future__ import annotations


class EvaluationError(Exception):
    """Root of the evaluation errors; its message names the fault and the remedy in one sentence."""


class MetricError(EvaluationError):
    """Metric with neither a value nor a reason, or with both: a bug in the caller."""


class EvaluationInterruptedError(EvaluationError):
    """The evaluation ended before it had its numbers; it may be run again."""


class PairingError(EvaluationError):
    """Lists or batches without matching pairs."""
