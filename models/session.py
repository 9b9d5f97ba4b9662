"""Connections to Postgres, and the translation of the driver's errors into messages for users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

import models.tables  # noqa: F401 - SQLAlchemy resolves foreign keys only between imported tables
from models.errors import SettingsError, UnreachableError

# Seconds to establish a connection.
CONNECT_TIMEOUT = 5
# TCP keepalive detects a half-open connection after 30 + 3 * 10 s.
CONNECT_ARGS: dict[str, str | int] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Seconds that a writing transaction may idle.
IDLE_IN_TRANSACTION_TIMEOUT = 60
# SQLSTATEs: undefined table or column; insufficient privilege or read-only; idle-in-transaction timeout.
OLD_SCHEMA = ("42P01", "42703")
NO_RIGHT = ("42501", "25006")
IDLE_TIMEOUT_STATE = "25P03"
# SQLSTATE of a full disk of the server, of its quota or of its limit on files.
DISK_FULL_STATE = "53100"


def connect(
    database_url: str,
    *,
    pool_size: int = 5,
    application: str = "gistmill",
    pre_ping: bool = True,
    autocommit: bool = False,
    idle_in_transaction_timeout: float | None = IDLE_IN_TRANSACTION_TIMEOUT,
) -> Engine:
    """Return an engine whose pool discards dead connections.

    Args:
        database_url: address of Postgres.
        pool_size: number of connections to keep.
        application: name of the connections in ``pg_stat_activity``.
        pre_ping: test a connection before each use; unneeded where the caller retries after an outage.
        autocommit: commit every statement by itself, which saves the rollback when a connection returns to the pool.
        idle_in_transaction_timeout: seconds after which Postgres ends an idle transaction; without it a disconnected
            host keeps its locks until TCP gives up, which may take hours. None for readers: they hold no locks, and
            their output may be slow.

    Raises:
        SettingsError: the address is not of Postgres.
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
        # Errors are logged, and would quote documents.
        hide_parameters=True,
        connect_args={**CONNECT_ARGS, "application_name": application},
    )
    _drop_error_details(engine)
    if idle_in_transaction_timeout is not None:
        _limit_idle_transactions(engine, idle_in_transaction_timeout)
    return engine


def _drop_error_details(engine: Engine) -> None:
    """Cut the errors of the server to their messages: the details quote values of rows, and errors are logged."""

    @event.listens_for(engine, "handle_error")
    def cut(context: ExceptionContext) -> None:
        original = context.original_exception
        message = getattr(getattr(original, "diag", None), "message_primary", None)
        if message is None:
            return
        whole = str(original)
        original.args = (message,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (str(context.sqlalchemy_exception.args[0]).replace(whole, message),)


def _limit_idle_transactions(engine: Engine, seconds: float) -> None:
    limit = f"SET LOCAL idle_in_transaction_session_timeout = {max(1, round(seconds * 1000))}"

    # Set per transaction, because a pooler may give each one a different server connection.
    @event.listens_for(engine, "begin")
    def set_timeout(connection: Connection) -> None:
        autocommit = getattr(connection.connection.dbapi_connection, "autocommit", False)
        if not autocommit:
            connection.exec_driver_sql(limit)


@contextmanager
def explain_outage(engine: Engine) -> Iterator[None]:
    """Translate the driver's errors of a missing server, schema or privilege into one sentence.

    Raises:
        UnreachableError: no server answers at the address, its disk is full, or it lacks our schema.
        SettingsError: the driver rejects the address, or its role lacks a privilege.
    """
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == DISK_FULL_STATE:
            raise UnreachableError(
                f"the disk of Postgres at {address} is full ({describe_database_error(error)}); "
                "free some space there, and run the command again"
            ) from error
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
    database_url: str, *, idle_in_transaction_timeout: float | None = IDLE_IN_TRANSACTION_TIMEOUT
) -> Iterator[Engine]:
    """Connect for a block, with outages explained, and close every connection at its end.

    Args:
        database_url: address of Postgres.
        idle_in_transaction_timeout: seconds, as for ``connect``.

    Raises:
        SettingsError: the driver rejects the address, or its role lacks a privilege.
        UnreachableError: no server answers at the address, or it lacks our schema.
    """
    engine = connect(database_url, pool_size=1, idle_in_transaction_timeout=idle_in_transaction_timeout)
    try:
        with explain_outage(engine):
            yield engine
    finally:
        engine.dispose()


@contextmanager
def open_transaction(database_url: str) -> Iterator[Session]:
    """Open a session that commits at the end of the block, for one-off statements rather than those of every step.

    Raises:
        UnreachableError: no server answers at the address, or it lacks our schema.
    """
    with open_database(database_url) as engine, Session(engine) as session, session.begin():
        yield session


def describe_database_error(error: DBAPIError) -> str:
    """Return the first line of the driver's message; the others quote the statement."""
    return str(error.orig).strip().partition("\n")[0] if error.orig else "no answer"


def check_database(engine: Engine) -> None:
    """Raise UnreachableError unless Postgres answers."""
    with explain_outage(engine), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
