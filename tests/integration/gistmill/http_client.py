"""The HTTP server of this test's own cluster: called without a network, or on a port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from gistmill.http.app import make_app
from models.settings import Settings
from tests.conftest import Cluster, wait_until

TOKEN = "a token of some length"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def make_server(cluster: Cluster, **settings: object) -> FastAPI:
    """Return the application for this test's own servers."""
    urls = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    return make_app(Settings(**{**urls, **settings}))  # type: ignore[arg-type]


@contextmanager
def open_server(cluster: Cluster, **settings: object) -> Iterator[TestClient]:
    """Run the application for a block."""
    app = make_server(cluster, **settings)
    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listen(cluster: Cluster, **settings: object) -> Iterator[int]:
    """Run the server on a port of this machine for a block."""
    server = uvicorn.Server(uvicorn.Config(make_server(cluster, **settings), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, "the server listens")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
