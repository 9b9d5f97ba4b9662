"""Errors of the summarization core.

SummarizationError
├── SplitError    a text cannot be cut into chunks of the asked size
├── PromptError   a style, an example or a user's template cannot make a prompt
├── PlanError     no plan fits the context; nothing has run yet
└── StateError    a job's steps contradict its strategy: the caller's bookkeeping is wrong
"""

from __future__ import annotations


class SummarizationError(Exception):
    """Root of the core's errors; the message is one sentence that says what is wrong and what to do."""


class SplitError(SummarizationError):
    """The text cannot be split with this splitter, chunk size or overlap."""


class PromptError(SummarizationError):
    """A style, an example or a template from the user cannot make a prompt."""


class PlanError(SummarizationError):
    """No prompt of this job would fit the context together with its answer."""


class StateError(SummarizationError):
    """The steps of a job do not belong to its strategy."""
