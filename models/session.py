"""Connections to Postgres, and the one place that turns a dead server into a clear sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

import models.tables  # noqa: F401 - whoever connects must know every table that a foreign key names
from models.errors import SettingsError, UnreachableError

# Seconds until a server that does not answer counts as away.
CONNECT_TIMEOUT = 5
# TCP keepalive notices a half-open connection after 30 + 3 * 10 s.
CONNECT_ARGS: dict[str, str | int] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Seconds that a command may say nothing in the middle of a transaction that writes.
LONGEST_SILENCE = 60
# SQLSTATEs: a table or column that is not there, what a role may not do, a transaction that was silent for too long.
OLD_SCHEMA = ("42P01", "42703")
NO_RIGHT = ("42501", "25006")
WAS_SILENT = "25P03"


def connect(
    database_url: str,
    *,
    pool_size: int = 5,
    application: str = "gistmill",
    is_asked_first: bool = True,
    commits_each: bool = False,
    longest_silence: float | None = LONGEST_SILENCE,
) -> Engine:
    """Return an engine whose pool discards connections that died.

    Args:
        database_url: of Postgres.
        pool_size: connections that are kept.
        application: what the server calls them.
        is_asked_first: each connection is tried before it is used; not needed by who repeats what an outage ended.
        commits_each: every statement by itself, so that nothing is left to roll back when a connection is given back.
        longest_silence: seconds after which Postgres ends a transaction in whose middle nothing comes any more. A host
            that is cut off there would otherwise keep its locks for as long as TCP hopes for it, which may be hours.
            None for who only reads: it locks nothing, and what it prints into may be slow.

    Raises:
        SettingsError: the address is not one of Postgres.
    """
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "GISTMILL_DATABASE_URL is not an address such as postgresql://user:password@host/db"
        ) from None
    if url.get_backend_name() != "postgresql":
        raise SettingsError(f"GISTMILL_DATABASE_URL must be an address of Postgres, not of {url.get_backend_name()}")
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=is_asked_first,
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if commits_each else {}),
        # Errors quote what was stored otherwise, and errors are logged.
        hide_parameters=True,
        connect_args={**CONNECT_ARGS, "application_name": application},
    )
    if longest_silence is not None:
        _limit_silence(engine, longest_silence)
    return engine


def _limit_silence(engine: Engine, seconds: float) -> None:
    limit = f"SET LOCAL idle_in_transaction_session_timeout = {max(1, round(seconds * 1000))}"

    # Of every transaction, because a pooler may lend each another connection of the server.
    @event.listens_for(engine, "begin")
    def limit_silence(connection: Connection) -> None:
        commits_each = getattr(connection.connection.dbapi_connection, "autocommit", False)
        if not commits_each:
            connection.exec_driver_sql(limit)


@contextmanager
def explain_outage(engine: Engine) -> Iterator[None]:
    """Turn the driver's errors of a missing server, schema or right into one sentence.

    Raises:
        UnreachableError: no server answers at the address, or its schema is not there.
        SettingsError: the address holds what the driver does not know, or a role that may not do this.
    """
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
    try:
        yield
    except OperationalError as error:
        raise UnreachableError(
            f"Postgres does not answer at {address} ({say_error(error)}); "
            "start it (`gistmill up`) or set GISTMILL_DATABASE_URL"
        ) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in OLD_SCHEMA:
            raise UnreachableError(
                f"the database at {address} has no Gistmill tables of this version; run `gistmill migrate`"
            ) from error
        if state in NO_RIGHT:
            raise SettingsError(
                f"the role of {address} may not do this ({say_error(error)}); set GISTMILL_DATABASE_URL to one that may"
            ) from error
        if state == WAS_SILENT:
            raise UnreachableError(
                f"Postgres ended a transaction because this command was silent for {LONGEST_SILENCE} s; run it again"
            ) from error
        if state is None and "invalid connection option" in str(error.orig):
            raise SettingsError(f"GISTMILL_DATABASE_URL cannot be used: {say_error(error)}") from error
        raise


@contextmanager
def open_database(
    database_url: str, *, pool_size: int = 1, longest_silence: float | None = LONGEST_SILENCE
) -> Iterator[Engine]:
    """Connect for the length of a block, with an outage explained and every connection closed at the end.

    Args:
        database_url: of Postgres.
        pool_size: connections that are kept.
        longest_silence: of a transaction, as ``connect`` takes it.

    Raises:
        SettingsError: the address or its role cannot do this.
        UnreachableError: the server does not answer, or has no tables.
    """
    engine = connect(database_url, pool_size=pool_size, longest_silence=longest_silence)
    try:
        with explain_outage(engine):
            yield engine
    finally:
        engine.dispose()


def say_error(error: DBAPIError) -> str:
    """Return the first line of what the driver says; the others quote the statement."""
    return str(error.orig).strip().partition("\n")[0] if error.orig else "no answer"


def check_database(engine: Engine) -> None:
    """Raise UnreachableError unless Postgres answers."""
    with explain_outage(engine), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
