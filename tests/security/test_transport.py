"""A listener on the wire: addresses that ask for TLS get it, or nothing; Flower asks who is there."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import redis
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from models.publisher import CeleryPublisher, make_celery
from models.session import connect
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import run_server
from tests.security.tls import make_certificate, serve_tls
from workers.local.home import Home, free_ports


@dataclass(frozen=True, slots=True)
class SecureServers:
    """Both servers behind TLS, and the certificates to trust and not to trust."""

    postgres_port: int
    redis_port: int
    trusted: Path
    other: Path


@pytest.fixture
def secure(home: Home, tmp_path: Path) -> Iterator[SecureServers]:
    """TLS before the embedded servers."""
    server, other = (make_certificate(tmp_path, name) for name in ("server", "other"))
    with (
        serve_tls(home.postgres.port, server, is_postgres=True) as postgres,
        serve_tls(home.valkey.port, server) as valkey,
    ):
        yield SecureServers(postgres, valkey, server.certificate, other.certificate)


def secure_database(cluster: Cluster, port: int, certificate: Path) -> str:
    url = make_url(cluster.database_url).set(port=port)
    return url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(certificate)}).render_as_string(False)


def secure_broker(home: Home, port: int, certificate: Path) -> str:
    return f"rediss://:{home.valkey.password}@127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={certificate}"


def test_a_whole_job_runs_over_tls(cluster: Cluster, home: Home, secure: SecureServers, tmp_path: Path) -> None:
    database_url = secure_database(cluster, secure.postgres_port, secure.trusted)
    broker_url = secure_broker(home, secure.redis_port, secure.trusted)
    engine = connect(database_url, pool_size=1)
    _, step_messages = add_jobs(engine, ["A text to summarize."])
    assert CeleryPublisher(make_celery(broker_url)).publish(step_messages) == 1
    worker = describe_command("-m", "tests.fake_worker", database_url=database_url, broker_url=broker_url)
    done = text("SELECT count(*) FROM jobs WHERE state = 'succeeded'")
    with (
        run_server(worker, tmp_path / "worker.log"),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        wait_until(lambda: connection.execute(done).scalar_one() == 1, "the job ends")
    engine.dispose()


def test_a_server_with_another_certificate_is_refused(cluster: Cluster, home: Home, secure: SecureServers) -> None:
    engine = connect(secure_database(cluster, secure.postgres_port, secure.other), pool_size=1)
    with pytest.raises(OperationalError, match="certificate verify failed"):
        engine.connect()
    with (
        redis.Redis.from_url(secure_broker(home, secure.redis_port, secure.other)) as broker,
        pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        broker.ping()


def test_a_server_without_tls_is_refused_rather_than_spoken_to_in_clear(
    cluster: Cluster, home: Home, secure: SecureServers
) -> None:
    engine = connect(secure_database(cluster, home.postgres.port, secure.trusted), pool_size=1)
    with pytest.raises(OperationalError, match="server does not support SSL"):
        engine.connect()
    with (
        redis.Redis.from_url(secure_broker(home, home.valkey.port, secure.trusted), socket_timeout=1) as broker,
        pytest.raises(redis.RedisError),
    ):
        broker.ping()


def test_flower_opens_with_its_login_alone(home: Home, tmp_path: Path) -> None:
    [port] = free_ports(1)
    settings = [f"CELERY_BROKER_URL={home.valkey.url}", "FLOWER_BASIC_AUTH=gistmill:flower-secret"]
    command = [sys.executable, "-m", "celery", "flower", "--address=127.0.0.1", f"--port={port}"]
    url = f"http://127.0.0.1:{port}"
    with run_server(["env", *settings, *command, f"--db={tmp_path / 'flower.db'}"], tmp_path / "flower.log"):
        wait_until(lambda: ask(f"{url}/healthcheck") == 200, "Flower answers")
        assert ask(f"{url}/workers") == 401
        assert ask(f"{url}/api/workers") == 401
        assert ask(f"{url}/workers", login="gistmill:guessed") == 401
        assert ask(f"{url}/workers", login="gistmill:flower-secret") == 200


def ask(url: str, *, login: str | None = None) -> int:
    """Return the status that a GET gives, 0 while nobody answers."""
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        error.close()
        return error.code
    except OSError:  # nobody listens yet, or it takes long to answer
        return 0
