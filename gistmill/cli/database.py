"""Client and database connection of a command: reads the settings, connects, and explains an outage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from gistmill.client import Client
    from gistmill.connection import Connection


@contextmanager
def open_client() -> Iterator[Client]:
    """Open a client of the cluster of the settings for a block; what it warns of is printed.

    Raises:
        SettingsError: no server is known.
    """
    from gistmill.cli.output import print_warning
    from gistmill.client import Client
    from gistmill.direct import open_cluster
    from models.settings import read_settings

    with Client(open_cluster(read_settings(), warn=print_warning)) as client:
        yield client


@contextmanager
def open_connection() -> Iterator[Connection]:
    """Open a connection to the servers of the settings for a block; what it warns of is printed.

    Raises:
        SettingsError: no server is known.
    """
    from gistmill.cli.output import print_warning
    from gistmill.connection import Connection
    from models.settings import read_settings

    with closing(Connection(read_settings(), warn=print_warning)) as connection:
        yield connection


@contextmanager
def open_engine(*, is_read_only: bool = False) -> Iterator[Engine]:
    """Connect to the results database of the settings for a block.

    Args:
        is_read_only: allow idle transactions, because the output of a reader may be slow.

    Raises:
        SettingsError: no server is known.
        UnreachableError: the server does not answer, or lacks our schema.
    """
    from models.session import IDLE_IN_TRANSACTION_TIMEOUT, open_database
    from models.settings import read_settings

    timeout = None if is_read_only else IDLE_IN_TRANSACTION_TIMEOUT
    url = read_settings().require_database_url()
    with open_database(url, idle_in_transaction_timeout=timeout) as engine:
        yield engine


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session for reading; changes are rolled back.

    Raises:
        SettingsError: no server is known.
        UnreachableError: the server does not answer, or lacks our schema.
    """
    from sqlalchemy.orm import Session

    with open_engine(is_read_only=True) as engine:
        # Connect first, so that an outage is reported before any output.
        engine.connect().close()
        with Session(engine) as session:
            yield session
