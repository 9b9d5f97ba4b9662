"""Errors about weights on disk; those of loaded weights are the engine's.

WeightsError                  root of both
├── WeightsNotFoundError      they are not there
├── WeightsUnsafeError        they would have to be unpickled
├── WeightsCorruptError       a file of them is not what it should be
├── AdapterUnreadableError    no adapter of ours, or none at all
├── AdapterMismatchError      trained for another base
└── EngineError               see workers.engine.errors
"""

from __future__ import annotations


class WeightsError(Exception):
    """Root of all errors about weights, on disk and loaded; the message says what is wrong and what to do."""


class WeightsNotFoundError(WeightsError):
    """The named weights or adapter are not there."""


class WeightsUnsafeError(WeightsError):
    """The weights would have to be unpickled, which can run code."""


class WeightsCorruptError(WeightsError):
    """A file of the weights is not what it should be."""


class AdapterUnreadableError(WeightsError):
    """A folder lacks the note that every adapter of ours carries, or is no LoRA adapter at all."""


class AdapterMismatchError(WeightsError):
    """The adapter was trained on other weights than those it should be merged into."""
