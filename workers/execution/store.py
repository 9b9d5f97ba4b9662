"""Reads and writes through an outage of Postgres: what a step has cost must not be lost because a server restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import chain, repeat
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from models.session import IDLE_TIMEOUT_STATE

log = structlog.get_logger()

# Seconds between tries; the last one repeats.
PAUSES = (0.2, 0.5, 1, 2, 4)
# SQLSTATE classes of what passes: connections, rollbacks for concurrency, full disks and too many clients, shutdowns.
# A server that was not reached, or a connection that broke, has no SQLSTATE at all.
PASSING_STATES = ("08", IDLE_TIMEOUT_STATE, "40", "53", "57P")

Result = TypeVar("Result")


def is_outage(error: BaseException) -> bool:
    """Tell whether Postgres was away, so that the same transaction may succeed later."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError) if state is None else state.startswith(PASSING_STATES)


def write_rows(database: Engine, write: Callable[[Session], Result], *, must_end: threading.Event) -> Result:
    """Run a transaction, again and again while Postgres is away.

    Args:
        database: where to write.
        write: the statements; fenced by a lease token, because a COMMIT whose reply was lost is repeated.
        must_end: set when there is no time left to wait.

    Raises:
        DBAPIError: Postgres is away and there is no time left.
    """

    def run() -> Result:
        with Session(database) as session, session.begin():
            return write(session)

    return _repeat(run, must_end)


def run_statements(database: Engine, run: Callable[[Connection], Result], *, must_end: threading.Event) -> Result:
    """Run statements that need no transaction around them, again and again while Postgres is away.

    Args:
        database: commits every statement by itself.
        run: reads, and at most one write, fenced as those of ``write_rows``.
        must_end: set when there is no time left to wait.

    Raises:
        DBAPIError: Postgres is away and there is no time left.
    """

    def connect_and_run() -> Result:
        with database.connect() as connection:
            return run(connection)

    return _repeat(connect_and_run, must_end)


def _repeat(run: Callable[[], Result], must_end: threading.Event) -> Result:
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while True:
        try:
            return run()
        except DBAPIError as error:
            if must_end.is_set() or not is_outage(error):
                raise
            log.warning("postgres_is_away", error=str(error.orig).strip(), action="it is asked again")
        must_end.wait(next(pauses))
