"""Polls a batch until all its jobs and checks have ended, through restarts of Postgres."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from producer.status import Snapshot, take_snapshot


@dataclass(frozen=True, slots=True)
class Outage:
    """A failed poll: Postgres did not answer."""

    reason: str


WatchEvent = Snapshot | Outage


def follow_batch(
    engine: Engine, batch_id: UUID, show: Callable[[WatchEvent], None], *, interval_seconds: float
) -> Snapshot:
    """Poll a batch and return its snapshot once its last job and check have ended.

    Args:
        engine: engine of the results database.
        batch_id: id of the batch.
        show: called with every snapshot or outage.
        interval_seconds: pause between two polls.
    """
    while True:
        observed = _take_snapshot(engine, batch_id)
        show(observed)
        if isinstance(observed, Snapshot) and observed.progress.is_over:
            return observed
        time.sleep(interval_seconds)


def _take_snapshot(engine: Engine, batch_id: UUID) -> WatchEvent:
    try:
        with Session(engine) as session:
            return take_snapshot(session, batch_id)
    except (OperationalError, InterfaceError) as error:
        return Outage(str(error.orig).strip().splitlines()[0])
