"""Single transactions on the results database, for one-off reads and writes outside of steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from models.session import connect, explain_outage
from models.settings import Settings


@contextmanager
def open_transaction(settings: Settings) -> Iterator[Session]:
    """Open a session that commits at the end of the block.

    Raises:
        SettingsError: the settings name no server.
        UnreachableError: the server does not answer, or has no tables.
    """
    engine = connect(settings.require_database_url(), pool_size=1)
    try:
        with explain_outage(engine), Session(engine) as session, session.begin():
            yield session
    finally:
        engine.dispose()
