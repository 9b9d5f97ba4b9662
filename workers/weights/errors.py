"""Errors of weights on disk; the engine defines those of loaded weights.

WeightsError                  root of both
├── WeightsNotFoundError      no such weights or adapter
├── WeightsUnsafeError        a pickle: loading would run code
├── WeightsUnsupportedError   a format of another program
├── WeightsCorruptError       a damaged or incomplete file
├── AdapterUnreadableError    no metadata of an adapter, or no LoRA adapter
├── AdapterMismatchError      adapter trained for another base
└── EngineError               see workers.engine.errors
"""

from __future__ import annotations


class WeightsError(Exception):
    """Root of all errors of weights, on disk and loaded; its message names the fault and the remedy."""


class WeightsNotFoundError(WeightsError):
    """Weights or adapter that do not exist."""


class WeightsUnsafeError(WeightsError):
    """Weights in a pickle format, which can run code when loaded."""


class WeightsUnsupportedError(WeightsError):
    """Weights in a format that only another program reads."""


class WeightsCorruptError(WeightsError):
    """Damaged or incomplete file of weights."""


class AdapterUnreadableError(WeightsError):
    """Folder without the metadata of an adapter, or without a LoRA adapter."""


class AdapterMismatchError(WeightsError):
    """Adapter trained for another base than the given one."""
