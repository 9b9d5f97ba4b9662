"""Orders checks of summaries that have none."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.checks import order_missing_check
from models.publisher import Announcer

# Jobs per transaction: their rows are locked until it ends.
BLOCK_JOBS = 50


def order_checks(database: Engine, announcer: Announcer, jobs: Sequence[UUID]) -> int:
    """Order a check for each job that has a summary, announce it, and return how many were ordered."""
    ordered = 0
    for start in range(0, len(jobs), BLOCK_JOBS):
        with Session(database) as session, session.begin():
            # In one order everywhere, so that two of these never wait for each other in a circle.
            block = sorted(jobs[start : start + BLOCK_JOBS])
            wakeups = [wakeup for job in block for wakeup in order_missing_check(session, job)]
        announcer.announce(wakeups)
        ordered += len(wakeups)
    return ordered
