"""Connections that the requests of a server share."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import text

from gistmill.http.services import SUBMISSIONS, THREADS, SharedConnection
from models.settings import Settings
from tests.conftest import Cluster


def test_every_thread_has_a_connection_of_its_own_at_once(cluster: Cluster) -> None:
    connection = SharedConnection(
        Settings(database_url=cluster.database_url, broker_url=cluster.broker_url), warn=lambda _: None
    )
    with ExitStack() as stack:
        stack.callback(connection.close)
        sessions = [stack.enter_context(connection.open_session()) for _ in range(THREADS + SUBMISSIONS)]

        assert all(session.scalar(text("SELECT 1")) == 1 for session in sessions)
