"""A cluster of separate hosts: Postgres, Valkey, two workers and a producer, each at its own address."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import Engine, make_url, text

from migrations.run import upgrade
from models.session import connect
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import wait_until
from tests.fake_worker import describe_command
from tests.integration.deploy.hosts import Host, Switch, explain_missing
from tests.processes import PATIENCE
from workers.local.home import open_home

JOBS = 50
# Short times, so that a host that is cut off is missed within seconds.
TIMES = {
    "lease_seconds": "4",
    "heartbeat_seconds": "1",
    "rescue_seconds": "1",
    "redispatch_seconds": "3",
    "restart_grace_seconds": "0",
    "slots": "4",
}
SECTION = "## Part {0}\n\nValue {1} of part {0}. " + "More words here. " * 25


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both servers are reached from every host."""

    database_url: str
    broker_url: str


@pytest.fixture
def switch() -> Iterator[Switch]:
    """A switch without hosts."""
    if reason := explain_missing():
        pytest.skip(reason)
    switch = Switch()
    with switch.run():
        yield switch


@pytest.fixture
def servers(switch: Switch, tmp_path: Path) -> Iterator[Servers]:
    """Postgres on one host and Valkey on another, migrated and empty."""
    home = open_home(tmp_path / "home")
    home.postgres.initialize()
    home.valkey.initialize()
    with (home.postgres.folder / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {switch.prefix}.0/24 scram-sha-256\n")
    database, broker = switch.add_host("database"), switch.add_host("broker")
    postgres = [*home.postgres.command, "-c", f"listen_addresses={database.address}"]
    valkey = [*home.valkey.command, "--bind", broker.address]
    servers = Servers(
        home.postgres.url.replace("127.0.0.1", database.address).replace("postgresql:", "postgresql+psycopg:"),
        home.valkey.url.replace("127.0.0.1", broker.address),
    )
    with (
        database.run(postgres, tmp_path / "postgres.log", user=home.postgres.system_user),
        broker.run(valkey, tmp_path / "valkey.log"),
    ):
        wait_until(lambda: _answers(servers), "both servers answer at their addresses")
        engine = connect(servers.database_url, pool_size=1)
        upgrade(engine)
        engine.dispose()
        yield servers


@pytest.fixture
def engine(servers: Servers) -> Iterator[Engine]:
    """An observer's connections."""
    engine = connect(servers.database_url, pool_size=1)
    yield engine
    engine.dispose()


def _answers(servers: Servers) -> bool:
    try:
        psycopg.connect(make_url(servers.database_url).set(drivername="postgresql").render_as_string(False)).close()
        with redis.Redis.from_url(servers.broker_url) as broker:
            return bool(broker.ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


@contextmanager
def work_on(host: Host, servers: Servers, log: Path) -> Iterator[None]:
    """Run a worker on a host."""
    urls = {"database_url": servers.database_url, "broker_url": servers.broker_url}
    with host.run(describe_command("-m", "tests.fake_worker", "0.6", **TIMES, **urls), log):
        yield


def submit_from(host: Host, servers: Servers, folder: Path) -> None:
    """Submit a folder from a host."""
    urls = {"database_url": servers.database_url, "broker_url": servers.broker_url}
    words = ["submit", str(folder), "--batch", "hosts", "--strategy", "map-reduce", "--chunk-tokens", "100"]
    subprocess.run(
        host.describe_command(describe_command("-m", "gistmill", *words, **urls)), check=True, timeout=PATIENCE
    )


def count(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {query}")).scalar_one()


def test_a_worker_host_that_is_cut_off_and_joined_again_costs_no_job(
    switch: Switch, servers: Servers, engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(JOBS):
        (folder / f"{number}.md").write_text("\n\n".join(SECTION.format(part, number) for part in range(3)))
    producer, *workers = (switch.add_host(name) for name in ("producer", "worker1", "worker2"))
    with ExitStack() as stack:
        for host in workers:
            stack.enter_context(work_on(host, servers, tmp_path / f"{host.name}.log"))
        wait_until(lambda: count(engine, "workers") == 2, "both workers are there")
        submit_from(producer, servers, folder)
        wait_until(lambda: count(engine, "jobs WHERE state = 'succeeded'") >= 5, "five jobs have ended")
        wait_until(
            lambda: count(engine, "steps WHERE lease_owner LIKE '%worker2#%' AND state = 'running'") > 0, "it works"
        )
        switch.cut_off(workers[1])
        wait_until(lambda: count(engine, "step_attempts WHERE outcome = 'lost'") > 0, "its steps are taken back")
        beaten = "(SELECT max(heartbeat_at) FROM workers WHERE node LIKE '%worker2') AS last"
        with engine.connect() as connection:
            before = connection.execute(text(f"SELECT * FROM {beaten}")).scalar_one()
        switch.join(workers[1])
        wait_until(
            lambda: count(engine, f"workers WHERE node LIKE '%worker2' AND heartbeat_at > '{before}'") == 1,
            "the host that was cut off is back",
        )
        wait_until(lambda: count(engine, "jobs WHERE state IN ('queued', 'running')") == 0, "all jobs end")
    assert count(engine, "jobs WHERE state = 'succeeded'") == JOBS
    assert count(engine, "(SELECT DISTINCT worker FROM steps WHERE kind = 'map') AS hosts") == 2
    assert_nothing_lost_or_doubled(engine)
