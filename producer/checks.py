"""Requests for the checks of summaries that have none."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.checks import request_missing_check
from models.publisher import OutboxPublisher

# Jobs per transaction: their rows are locked until it ends.
BLOCK_JOBS = 50


def request_checks(database: Engine, outbox_publisher: OutboxPublisher, jobs: Sequence[UUID]) -> int:
    """Request a check of each job that has a summary and none, publish it, and return the number of requests."""
    ordered = 0
    for start in range(0, len(jobs), BLOCK_JOBS):
        with Session(database) as session, session.begin():
            # Sorted, so that two requests cannot deadlock.
            block = sorted(jobs[start : start + BLOCK_JOBS])
            step_messages = [step_message for job in block for step_message in request_missing_check(session, job)]
        outbox_publisher.publish(step_messages)
        ordered += len(step_messages)
    return ordered
