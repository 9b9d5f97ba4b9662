"""Fixtures for every test: real servers from wheels, started once per run; a fresh database for each test."""

from __future__ import annotations

import gc
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
import redis
from sqlalchemy import Engine, create_engine

from migrations.run import upgrade
from models.session import connect
from tests.processes import PATIENCE, make_open_folder, run_server
from tests.tiny_gemma import build_tiny_gemma
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.local.home import Home, open_home

# A run in the background of a script inherits an ignored SIGINT, and would pass it on to every process of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# By default an example that takes 0.2 s fails, as it may on a machine under load.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TEMPLATE = "gistmill_template"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_collection_finish() -> None:
    """Exclude imported modules, which are no garbage, from collections; transformers asks for some with each engine."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A fresh, migrated database and an empty broker of this test's own."""

    database_url: str
    broker_url: str
    engine: Engine


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Postgres and Valkey, running for the whole test run."""
    # The databases of all tests, which take half a minute to remove.
    with make_open_folder(is_large=True) as folder:
        yield from _run_servers(open_home(folder))


def _run_servers(home: Home) -> Iterator[Home]:
    home.postgres.initialize()
    home.valkey.initialize()
    with (
        # Nobody reads the data again: nothing need be on a disk, and there is nothing to shut down in order.
        run_server(
            [*home.postgres.command, "-c", "fsync=off"],
            home.logs / "postgres.log",
            user=home.postgres.system_user,
            end_by=signal.SIGQUIT,
        ),
        run_server(home.valkey.command, home.logs / "valkey.log"),
    ):
        wait_until(lambda: answers(home), "the embedded servers answer")
        yield home


@pytest.fixture(scope="session")
def template_database(home: Home) -> str:
    """A migrated, empty database to copy from."""
    url = create_database(home, TEMPLATE, "template1")
    engine = create_engine(url)
    upgrade(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def cluster(home: Home, template_database: str) -> Iterator[Cluster]:
    """A database and a broker that nobody else uses."""
    url = create_database(home, f"test_{uuid.uuid4().hex[:12]}", template_database)
    redis.Redis.from_url(home.valkey.url).flushall()
    engine = connect(url, pool_size=20)
    yield Cluster(url, home.valkey.url, engine)
    engine.dispose()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 3 of a few megabytes with a tokenizer of its own."""
    return build_tiny_gemma(tmp_path_factory.mktemp("tiny") / "gemma")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """The packaged Gemma 3 270M, converted once and kept between runs."""
    cache = Path(os.environ.get("GISTMILL_TEST_CACHE", Path.home() / ".cache" / "gistmill-tests"))
    return ensure_packaged_weights(cache / "gemma-3-270m")


def wait_until(is_true: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait for a condition, and fail with its name if it does not come true."""
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.05)


def answers(home: Home) -> bool:
    """Tell whether both servers of a home answer."""
    try:
        psycopg.connect(home.postgres.url, connect_timeout=2).close()
        return bool(redis.Redis.from_url(home.valkey.url).ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


def create_database(home: Home, name: str, template: str) -> str:
    """Create a database from a template, and return its address."""
    with psycopg.connect(home.postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    url = home.postgres.url.replace("postgresql://", "postgresql+psycopg://")
    return url.rsplit("/", 1)[0] + f"/{name}"
