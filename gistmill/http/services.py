"""Everything that the requests of a server share: its connections, its threads, and who follows which batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from gistmill.client import Client
from gistmill.connection import Connection
from gistmill.direct import DirectCluster
from gistmill.http.progress import ProgressHub
from gistmill.http.token_check import TokenCheck
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.session import explain_outage
from models.settings import Settings

# Threads that answer short requests, each with a connection to the database while it does.
THREADS = 16
# Submissions that are read at a time: each may take minutes, and a process of its own for its parsers.
SUBMISSIONS = 4
# Connections to the database that are kept: one for each thread, housekeeping and webhooks included. Twice as many may
# be open, so that a thread that needs a second one never waits for another thread's.
POOL_SIZE = THREADS + SUBMISSIONS + 2

P = ParamSpec("P")
T = TypeVar("T")


class SharedConnection(Connection):
    """Connection of a server: a larger pool, and a connection to the broker that stays open."""

    def __init__(self, settings: Settings, *, warn: Callable[[str], None]) -> None:
        super().__init__(settings, warn=warn, pool_size=POOL_SIZE)
        self._celery = make_celery(settings.require_broker_url())

    @contextmanager
    def open_outbox(self) -> Iterator[OutboxPublisher]:
        """Open a publisher of step messages over the shared connection to the broker."""
        with explain_outage(self.engine):
            yield OutboxPublisher(self.engine, CeleryPublisher(self._celery))

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self._celery.close()


@dataclass(frozen=True, slots=True)
class Services:
    """State of a server that all its requests share.

    Args:
        settings: of this process.
        token_check: check of the token that requests must carry; None where this machine alone can connect.
        cluster: the cluster.
        hub: followers of batches.
        submissions: bound on the submissions that are read at a time.
    """

    settings: Settings
    token_check: TokenCheck | None
    cluster: DirectCluster
    hub: ProgressHub
    submissions: CapacityLimiter

    @property
    def connection(self) -> Connection:
        """Connections to the servers of the cluster."""
        return self.cluster.connection

    @property
    def client(self) -> Client:
        """Client of the cluster."""
        return Client(self.cluster)

    @contextmanager
    def open_transaction(self) -> Iterator[Session]:
        """Open a session that commits at the end of the block."""
        with explain_outage(self.connection.engine), Session(self.connection.engine) as session, session.begin():
            yield session

    async def read_documents(self, run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads documents in a thread, with few others beside it."""
        return await to_thread.run_sync(partial(run, *args, **kwargs), limiter=self.submissions)


def get_services(request: Request) -> Services:
    """Return the state that all requests of this server share."""
    services: Services = request.app.state.services
    return services


# Parameter of a route that needs that state.
Shared = Annotated[Services, Depends(get_services)]
