"""Connection of a client to the servers of a cluster: opened at the first use, closed once for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from gistmill.cluster import Warn
from gistmill.errors import ClosedError
from models.publisher import OutboxPublisher, open_publisher
from models.session import connect, explain_outage
from models.settings import Settings
from producer.remarks import describe_unsent


class Connection:
    """The results database and the broker of one client.

    Args:
        settings: settings with the addresses of the servers.
        warn: called with a sentence that users must not miss.
        pool_size: number of connections to the database that are kept; as many more may be open.

    Raises:
        SettingsError: no database is known, or its address is invalid.
    """

    def __init__(self, settings: Settings, *, warn: Warn, pool_size: int = 5) -> None:
        self.settings = settings
        self.warn = warn
        # Connects at the first statement.
        self._engine = connect(settings.require_database_url(), pool_size=pool_size)
        self._is_closed = False
        # A thread may still use a connection when the client is closed; it is closed when it comes back.
        event.listen(self._engine, "checkin", self._close_late)

    def __repr__(self) -> str:
        return repr(self._engine.url.set(drivername="postgresql").render_as_string(hide_password=True))

    @property
    def engine(self) -> Engine:
        """Engine of the results database.

        Raises:
            ClosedError: the client is closed.
        """
        if self._is_closed:
            raise ClosedError("this client is closed; call gistmill.connect() again")
        return self._engine

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """Open a session for a block, with outages explained; changes are rolled back.

        Raises:
            UnreachableError: the database does not answer, or lacks our schema.
            ClosedError: the client is closed.
        """
        with explain_outage(self.engine), Session(self.engine) as session:
            yield session

    @contextmanager
    def open_outbox(self) -> Iterator[OutboxPublisher]:
        """Open a publisher of step messages for a block, and warn at its end of what the broker did not take.

        Raises:
            SettingsError: no broker is known.
            UnreachableError: the database does not answer, or lacks our schema.
        """
        with explain_outage(self.engine), open_publisher(self.settings.require_broker_url()) as publisher:
            outbox_publisher = OutboxPublisher(self.engine, publisher)
            yield outbox_publisher
        if outbox_publisher.unsent:
            self.warn(describe_unsent(outbox_publisher.unsent))

    def close(self) -> None:
        """Close every connection to the database; the broker's last no longer than their blocks."""
        self._is_closed = True
        self._engine.dispose()

    def _close_late(self, _: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        if self._is_closed:
            entry.close()
