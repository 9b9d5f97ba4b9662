"""What can go wrong before and while weights are fine-tuned.

FinetuningError
├── DataError            the training data cannot be used
│   ├── DataUnreadableError   no such file, an unknown suffix, or not what its suffix says
│   ├── MissingColumnError    a column that was asked for is not there
│   └── TooFewPairsError      too few usable pairs are left
├── SettingsError        a value or a combination of values that cannot work
├── AdapterUnreadableError  a folder is no adapter of ours
├── BaseMismatchError    the adapter was trained for another base
├── NotEnoughMemoryError the machine cannot hold what the run would need
├── QuantizationUnavailableError  QLoRA was asked for where bitsandbytes cannot do it
└── OutputInUseError     the output folder holds something this run must not overwrite
"""

from __future__ import annotations


class FinetuningError(Exception):
    """Root of all errors of this package; permanent, the same call would fail again."""


class DataError(FinetuningError):
    """The training data cannot be used."""


class DataUnreadableError(DataError):
    """A data file is missing, has an unknown suffix or is not what its suffix says."""


class MissingColumnError(DataError):
    """A data file lacks a column that was asked for."""


class TooFewPairsError(DataError):
    """After skipping unusable rows too few pairs are left to train on."""


class SettingsError(FinetuningError):
    """A setting has a value that cannot work."""


class AdapterUnreadableError(FinetuningError):
    """A folder lacks the note that every adapter of ours carries."""


class BaseMismatchError(FinetuningError):
    """The adapter was trained for other weights than the ones it is to be merged into."""


class NotEnoughMemoryError(FinetuningError):
    """The machine has less memory than the run would need."""


class QuantizationUnavailableError(FinetuningError):
    """QLoRA was asked for on a machine where bitsandbytes cannot do it."""


class OutputInUseError(FinetuningError):
    """The output folder already holds an adapter, or checkpoints of another run."""
