"""Errors of the evaluation core.

EvaluationError
├── MetricError    a metric has neither a value nor a reason, or both: the caller's bookkeeping is wrong
├── EvaluationInterruptedError  the job was cancelled, or the deadline has passed
├── OptionsError   an option is outside its range
└── PairingError   two lists that belong together have different lengths, or share no document
"""

from __future__ import annotations


class EvaluationError(Exception):
    """Root of the evaluation errors; the message is one sentence that says what is wrong and what to do."""


class MetricError(EvaluationError):
    """A metric must have either a value or a reason."""


class EvaluationInterruptedError(EvaluationError):
    """The evaluation ended before it had its numbers; it may be run again."""


class OptionsError(EvaluationError):
    """An evaluation option is outside its range."""


class PairingError(EvaluationError):
    """What is compared or scored pair by pair does not come in pairs."""
