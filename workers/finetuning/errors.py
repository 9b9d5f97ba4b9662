"""What can go wrong before and while weights are fine-tuned.

FinetuningError (WorkerError)
├── DataError            the training data cannot be used
│   ├── DataUnreadableError   no such file, an unknown suffix, or not what its suffix says
│   ├── MissingColumnError    a column that was asked for is not there
│   └── TooFewPairsError      too few usable pairs are left
├── SettingsError        a value or a combination of values that cannot work
├── NotEnoughMemoryError the machine cannot hold what the run would need
├── QuantizationUnavailableError  QLoRA was asked for where bitsandbytes cannot do it
└── OutputInUseError     the output folder holds something this run must not overwrite
"""

from __future__ import annotations

from workers.errors import WorkerError


class FinetuningError(WorkerError):
    """Root of all errors of this package; permanent, the same call would fail again."""


class DataError(FinetuningError):
    """The training data cannot be used."""

    exit_code = 2


class DataUnreadableError(DataError):
    """A data file is missing, has an unknown suffix or is not what its suffix says."""


class MissingColumnError(DataError):
    """A data file lacks a column that was asked for."""


class TooFewPairsError(DataError):
    """After skipping unusable rows too few pairs are left to train on."""


class TrainingSettingsError(FinetuningError):
    """A setting has a value that cannot work."""

    exit_code = 2


class NotEnoughMemoryError(FinetuningError):
    """The machine has less memory than the run would need."""


class QuantizationUnavailableError(FinetuningError):
    """QLoRA was asked for on a machine where bitsandbytes cannot do it."""


class OutputInUseError(FinetuningError):
    """The output folder already holds an adapter, or checkpoints of another run."""

    exit_code = 2
