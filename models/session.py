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
IDLE_IN_TRANSACTION_TIMEOUT = 60
# SQLSTATEs: a table or column that is not there, what a role may not do, a transaction that was silent for too long.
OLD_SCHEMA = ("42P01", "42703")
NO_RIGHT = ("42501", "25006")
IDLE_TIMEOUT_STATE = "25P03"


def connect(
    database_url: str,
    *,
    pool_size: int = 5,
    application: str = "gistmill",
    pre_ping: bool = True,
    autocommit: bool = False,
    idle_in_transaction_timeout: float | None = IDLE_IN_TRANSACTION_TIMEOUT,
) -> Engine:
    """Return an engine whose pool discards connections that died.

    Args:
        database_url: of Postgres.
        pool_size: connections that are kept.
        application: what the server calls them.
        pre_ping: each connection is tried before it is used; not needed by who repeats what an outage ended.
        autocommit: every statement by itself, so that nothing is left to roll back when a connection is given back.
        idle_in_transaction_timeout: seconds after which Postgres ends a transaction that idles. A host that was cut off
            in a transaction would otherwise keep its locks until TCP gives up, which may take hours. None for readers:
            they hold no locks, and their output may be slow.

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
        pool_pre_ping=pre_ping,
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if autocommit else {}),
        # Errors quote what was stored otherwise, and errors are logged.
        hide_parameters=True,
        connect_args={**CONNECT_ARGS, "application_name": application},
    )
    if idle_in_transaction_timeout is not None:
        _limit_idle_transactions(engine, idle_in_transaction_timeout)
    return engine


def _limit_idle_transactions(engine: Engine, seconds: float) -> None:
    limit = f"SET LOCAL idle_in_transaction_session_timeout = {max(1, round(seconds * 1000))}"

    # Of every transaction, because a pooler may lend each another connection of the server.
    @event.listens_for(engine, "begin")
    def limit_silence(connection: Connection) -> None:
        autocommit = getattr(connection.connection.dbapi_connection, "autocommit", False)
        if not autocommit:
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
            f"Postgres does not answer at {address} ({describe_database_error(error)}); "
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
                f"the role of {address} may not do this ({describe_database_error(error)}); "
                "set GISTMILL_DATABASE_URL to one that may"
            ) from error
        if state == IDLE_TIMEOUT_STATE:
            raise UnreachableError(
                f"Postgres ended a transaction because this command was silent for {IDLE_IN_TRANSACTION_TIMEOUT} s; "
                "run it again"
            ) from error
        if state is None and "invalid connection option" in str(error.orig):
            raise SettingsError(f"GISTMILL_DATABASE_URL cannot be used: {describe_database_error(error)}") from error
        raise


@contextmanager
def open_database(
    database_url: str, *, pool_size: int = 1, idle_in_transaction_timeout: float | None = IDLE_IN_TRANSACTION_TIMEOUT
) -> Iterator[Engine]:
    """Connect for the length of a block, with an outage explained and every connection closed at the end.

    Args:
        database_url: of Postgres.
        pool_size: connections that are kept.
        idle_in_transaction_timeout: of a transaction, as ``connect`` takes it.

    Raises:
        SettingsError: the address or its role cannot do this.
        UnreachableError: the server does not answer, or has no tables.
    """
    engine = connect(database_url, pool_size=pool_size, idle_in_transaction_timeout=idle_in_transaction_timeout)
    try:
        with explain_outage(engine):
            yield engine
    finally:
        engine.dispose()


def describe_database_error(error: DBAPIError) -> str:
    """Return the first line of what the driver says; the others quote the statement."""
    return str(error.orig).strip().partition("\n")[0] if error.orig else "no answer"


def check_database(engine: Engine) -> None:
    """Raise UnreachableError unless Postgres answers."""
    with explain_outage(engine), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
