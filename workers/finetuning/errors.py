"""Errors of fine-tuning.

FinetuningError (WorkerError)
├── DataError                     unusable training data
│   ├── DataUnreadableError       missing file, unknown suffix, missing column or invalid content
│   ├── TooFewPairsError          too few usable pairs
│   └── TooFewClaimsError         too few texts with claims
├── TrainingSettingsError         invalid value or combination of values
├── NotEnoughMemoryError          the run would exceed the free memory
├── QuantizationUnavailableError  QLoRA without bitsandbytes
└── OutputInUseError              the output folder has results that the run would overwrite
"""

from __future__ import annotations

from workers.errors import WorkerError


class FinetuningError(WorkerError):
    """Root of all errors of this package; permanent: a retry would fail again."""


class DataError(FinetuningError):
    """Unusable training data."""

    exit_code = 2


class DataUnreadableError(DataError):
    """Data file that is missing, has an unknown suffix, lacks a column or has invalid content."""


class TooFewPairsError(DataError):
    """Too few usable pairs to train on."""


class TooFewClaimsError(DataError):
    """Too few texts with claims to train on."""


class TrainingSettingsError(FinetuningError):
    """Invalid value or combination of values."""

    exit_code = 2


class NotEnoughMemoryError(FinetuningError):
    """Run that would exceed the free memory of the machine."""


class QuantizationUnavailableError(FinetuningError):
    """QLoRA requested on a machine without bitsandbytes."""


class OutputInUseError(FinetuningError):
    """Output folder with an adapter, or with checkpoints of another run."""

    exit_code = 2
