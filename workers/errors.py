"""Errors of the workers.

WorkerError (GistmillError)
├── ServerStartError     an embedded server did not start
│   └── FinalStartError  a program ended with ``FINAL_CODE``: starting again would fail again
├── AlreadyRunningError  the home is in use by another ``gistmill up``
├── HomeError            the data folder cannot be created
├── BackupError          a backup cannot be written or restored
├── DeviceError          a requested GPU does not exist
├── ServingError         the weights cannot be served
├── ShortageError        too little free memory or disk, for now
├── PlanningError        a dry run finds no valid plan (``planner``)
├── FinetuningError      see ``finetuning.errors``
└── StepError
    ├── RetryableError   the next attempt may succeed
    ├── DeletedJobError  the step's job was deleted while it ran
    └── PermanentError   every attempt would fail
"""

from __future__ import annotations

from models.errors import GistmillError, SettingsError, UnknownIdError

# Exit code of a worker process whose restart would fail again (EX_CONFIG); the supervisor does not restart it.
FINAL_CODE = 78


class WorkerError(GistmillError):
    """Root of the workers' errors."""


class ServerStartError(WorkerError):
    """Failed start of an embedded server; the message names its log."""


class FinalStartError(ServerStartError):
    """Start of a program that would fail again; the command that started it ends with the program's code."""

    exit_code = FINAL_CODE


class AlreadyRunningError(WorkerError):
    """Home in use by another ``gistmill up``; the message has its addresses."""


class HomeError(WorkerError):
    """Data folder that cannot be created."""


class BackupError(WorkerError):
    """Backup that cannot be written or restored."""


class DeviceError(WorkerError):
    """Request for a GPU that does not exist, or for too many."""

    exit_code = 2


class ServingError(WorkerError):
    """Weights that cannot be served; the message has the reason and the remedy."""


class ShortageError(WorkerError):
    """Too little free memory or disk; another process may free some, so a restart may help."""


class StepError(WorkerError):
    """Failure of a step."""


class RetryableError(StepError):
    """Failure that the next attempt may not have: a deadline, a full device, an unreachable server."""


class DeletedJobError(StepError):
    """Job that was deleted while a step of it ran; there is nothing left to store."""


class PermanentError(StepError):
    """Failure of every attempt; its message is stored with the step."""


def choose_end_code(error: GistmillError) -> int:
    """Return the exit code of a worker process that could not start."""
    is_final = isinstance(error, (ServingError, SettingsError, UnknownIdError))
    return FINAL_CODE if is_final else error.exit_code
