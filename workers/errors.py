"""Errors of the worker's own parts.

WorkerError (GistmillError)
├── ServerStartError     an embedded server did not come up
├── AlreadyRunningError  this home is in use by another ``gistmill up``
├── HomeError            the data folder cannot be made
├── DeviceError          a GPU was asked for that is not there
├── ServingError         the weights cannot be served
├── ShortageError        there is no room for the weights now
└── StepError
    ├── RetryableError   the next attempt may succeed
    └── PermanentError   no attempt will ever succeed
"""

from __future__ import annotations

from models.errors import GistmillError, SettingsError, UnknownIdError

# Exit code of a worker process that another start cannot help (EX_CONFIG): the supervisor leaves it alone.
FINAL_CODE = 78


class WorkerError(GistmillError):
    """Root of the worker's errors."""


class ServerStartError(WorkerError):
    """An embedded server did not come up; the message names its log."""


class AlreadyRunningError(WorkerError):
    """This home is in use by another ``gistmill up``; the message says where it listens."""


class HomeError(WorkerError):
    """The data folder cannot be made."""


class DeviceError(WorkerError):
    """A GPU was asked for that is not there."""

    exit_code = 2


class ServingError(WorkerError):
    """The weights cannot be served; the message says why and what to do."""


class ShortageError(WorkerError):
    """There is no room for the weights now; whoever holds the memory may let it go."""


class StepError(WorkerError):
    """A step could not be run."""


class RetryableError(StepError):
    """The next attempt may succeed: a deadline, a full device, a server that was away."""


class PermanentError(StepError):
    """No attempt will ever succeed: the message is stored with the step."""


def choose_end_code(error: GistmillError) -> int:
    """Return the code that a worker process ends with when it could not start."""
    is_final = isinstance(error, (ServingError, SettingsError, UnknownIdError))
    return FINAL_CODE if is_final else error.exit_code
