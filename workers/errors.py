"""Errors of the worker's own parts.

WorkerError (GistmillError)
├── ServerStartError     an embedded server did not come up
├── AlreadyRunningError  this home is in use by another ``gistmill up``
├── DeviceError          a GPU was asked for that is not there
├── ServingError         the weights cannot be served
└── StepError
    ├── RetryableError   the next attempt may succeed
    └── PermanentError   no attempt will ever succeed
"""

from __future__ import annotations

from models.errors import GistmillError


class WorkerError(GistmillError):
    """Root of the worker's errors."""


class ServerStartError(WorkerError):
    """An embedded server did not come up; the message names its log."""


class AlreadyRunningError(WorkerError):
    """This home is in use by another ``gistmill up``; the message says where it listens."""


class DeviceError(WorkerError):
    """A GPU was asked for that is not there."""

    exit_code = 2


class ServingError(WorkerError):
    """The weights cannot be served; the message says why and what to do."""


class StepError(WorkerError):
    """A step could not be run."""


class RetryableError(StepError):
    """The next attempt may succeed: a deadline, a full device, a server that was away."""


class PermanentError(StepError):
    """No attempt will ever succeed: the message is stored with the step."""
