"""Follows a batch until all its jobs and their checks have ended, through restarts of Postgres; it only reads."""

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
    """Postgres did not answer; following goes on."""

    reason: str


WatchEvent = Snapshot | Outage


def follow_batch(
    engine: Engine, batch_id: UUID, show: Callable[[WatchEvent], None], *, interval_seconds: float
) -> Snapshot:
    """Look at a batch again and again, and return it as it is when its last job, or its check, has ended.

    Args:
        engine: of the results database.
        batch_id: which batch.
        show: told of every look.
        interval_seconds: pause between two looks.
    """
    while True:
        look = _take_snapshot(engine, batch_id)
        show(look)
        if isinstance(look, Snapshot) and look.progress.is_over:
            return look
        time.sleep(interval_seconds)


def _take_snapshot(engine: Engine, batch_id: UUID) -> WatchEvent:
    try:
        with Session(engine) as session:
            return take_snapshot(session, batch_id)
    except (OperationalError, InterfaceError) as error:
        return Outage(str(error.orig).strip().splitlines()[0])
