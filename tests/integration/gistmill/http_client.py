"""The HTTP server of this test's own cluster, called without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from gistmill.http.app import make_app
from models.settings import Settings
from tests.conftest import Cluster

TOKEN = "a token of some length"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def open_server(cluster: Cluster, **settings: object) -> Iterator[TestClient]:
    """Run the application for a block."""
    urls = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    app = make_app(Settings(**{**urls, **settings}))  # type: ignore[arg-type]
    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield client
