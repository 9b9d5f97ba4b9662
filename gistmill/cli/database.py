"""The connection of one command: settings read, Postgres reached, an outage explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session


@contextmanager
def open_engine(*, is_read_only: bool = False) -> Iterator[Engine]:
    """Connect to the results database of the settings for the length of a block.

    Args:
        is_read_only: what is read may be written somewhere slowly, so a transaction may stand still.

    Raises:
        SettingsError: no server is known.
        UnreachableError: it does not answer, or has no tables.
    """
    from models.session import IDLE_IN_TRANSACTION_TIMEOUT, open_database
    from models.settings import read_settings

    silence = None if is_read_only else IDLE_IN_TRANSACTION_TIMEOUT
    url = read_settings().require_database_url()
    with open_database(url, idle_in_transaction_timeout=silence) as engine:
        yield engine


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session for reading; what was changed in it is thrown away.

    Raises:
        SettingsError: no server is known.
        UnreachableError: it does not answer, or has no tables.
    """
    from sqlalchemy.orm import Session

    with open_engine(is_read_only=True) as engine:
        # An outage is told before anything is printed or a file is begun.
        engine.connect().close()
        with Session(engine) as session:
            yield session
