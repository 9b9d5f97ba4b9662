"""The connection of one command: settings read, Postgres reached, an outage explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session


@contextmanager
def open_engine(*, pool_size: int = 1) -> Iterator[Engine]:
    """Connect to the results database of the settings for the length of a block.

    Raises:
        SettingsError: no server is known.
        UnreachableError: it does not answer, or has no tables.
    """
    from models.session import open_database
    from models.settings import read_settings

    with open_database(read_settings().require_database_url(), pool_size=pool_size) as engine:
        yield engine


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session for reading; what was changed in it is thrown away.

    Raises:
        SettingsError: no server is known.
        UnreachableError: it does not answer, or has no tables.
    """
    from sqlalchemy.orm import Session

    with open_engine() as engine:
        # An outage is told before anything is printed or a file is begun.
        engine.connect().close()
        with Session(engine) as session:
            yield session
