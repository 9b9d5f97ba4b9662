"""Polls a batch until all its jobs and checks have ended, through restarts of Postgres."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from producer.errors import WaitTimeoutError
from producer.status import Snapshot, take_snapshot
from producer.wording import format_seconds


@dataclass(frozen=True, slots=True)
class Outage:
    """A failed poll: Postgres did not answer."""

    reason: str


WatchEvent = Snapshot | Outage


class Deadline:
    """Time until which a batch is waited for.

    Args:
        timeout_seconds: time from now; None waits for ever.
    """

    def __init__(self, timeout_seconds: float | None) -> None:
        self._timeout = timeout_seconds
        self._started_at = time.monotonic()

    def choose_pause(self, interval_seconds: float, observed: WatchEvent) -> float:
        """Return the pause before the next poll.

        Raises:
            WaitTimeoutError: the time is over.
        """
        if self._timeout is None:
            return interval_seconds
        left = self._started_at + self._timeout - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(
                f"{_describe_open(observed)} after {format_seconds(self._timeout)}; the work goes on"
            )
        return min(interval_seconds, left)


def _describe_open(observed: WatchEvent) -> str:
    if isinstance(observed, Outage):
        return f"Postgres does not answer ({observed.reason})"
    progress = observed.progress
    rest = f"{progress.open_jobs:,} of {progress.jobs:,} jobs are open"
    return f"batch {progress.batch} has not ended ({rest if progress.open_jobs else 'its checks are open'})"


def follow_batch(
    poll: Callable[[], WatchEvent],
    show: Callable[[WatchEvent], None],
    *,
    interval_seconds: float,
    timeout_seconds: float | None = None,
) -> Snapshot:
    """Poll a batch and return its snapshot once its last job and check have ended.

    Args:
        poll: returns the state of the batch now.
        show: called with every snapshot or outage.
        interval_seconds: pause between two polls.
        timeout_seconds: longest time to wait; None waits for ever.

    Raises:
        WaitTimeoutError: the batch has not ended in time.
    """
    deadline = Deadline(timeout_seconds)
    while True:
        observed = poll()
        show(observed)
        if has_ended(observed):
            return observed
        time.sleep(deadline.choose_pause(interval_seconds, observed))


def has_ended(observed: WatchEvent) -> TypeGuard[Snapshot]:
    """Tell whether the last job and check of a batch have ended."""
    return isinstance(observed, Snapshot) and observed.progress.is_over


def poll_batch(engine: Engine, batch_id: UUID) -> WatchEvent:
    """Return the state of a batch now, or the outage that hides it."""
    try:
        with Session(engine) as session:
            return take_snapshot(session, batch_id)
    except (OperationalError, InterfaceError) as error:
        return Outage(str(error.orig).strip().splitlines()[0])
