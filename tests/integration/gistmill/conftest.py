"""Clients of this test's own servers, and a worker whose engine needs no weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

import gistmill
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.processes import run_server


@pytest.fixture
def client(cluster: Cluster) -> Iterator[gistmill.Client]:
    """A client of this test's own servers."""
    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        yield client


@pytest.fixture
def worker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker of this test's own servers, in a process of its own."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    urls = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    with run_server(describe_command("-m", "tests.fake_worker", **urls), log):
        wait_until(lambda: count_workers(cluster) > 0, "the worker serves")
        yield


@pytest.fixture
def settings_of_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of a process that uses this test's own servers, in an empty folder."""
    monkeypatch.setenv("GISTMILL_DATABASE_URL", cluster.database_url)
    monkeypatch.setenv("GISTMILL_BROKER_URL", cluster.broker_url)
    monkeypatch.chdir(tmp_path)


def count_workers(cluster: Cluster) -> int:
    with cluster.engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM workers")).scalar_one()


def count_connections(cluster: Cluster) -> int:
    """Return the number of connections to this test's database."""
    url = cluster.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        row = connection.execute(others).fetchone()
    return row[0] if row else 0
