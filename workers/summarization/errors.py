"""Errors of the summarization core.

SummarizationError
├── SplitError    a text cannot be cut into chunks of the requested size
├── PromptError   a style, an example or a user's template makes no valid prompt
├── PlanError     no plan fits the context; raised before any step runs
└── StateError    a job's steps contradict its strategy: a bug in the caller
"""

from __future__ import annotations


class SummarizationError(Exception):
    """Root of the core's errors; its message names the fault and the remedy in one sentence."""


class SplitError(SummarizationError):
    """Text that cannot be split with the given splitter, chunk size or overlap."""


class PromptError(SummarizationError):
    """Style, example or user's template that makes no valid prompt."""


class PlanError(SummarizationError):
    """Job whose prompts do not fit the context together with their answers."""


class StateError(SummarizationError):
    """Steps of a job that do not belong to its strategy."""
