"""Examination of the servers: results database with its schema, broker, and the workers that are registered."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from gistmill.doctor.diagnosis import Diagnosis, approve, remark, report
from models.errors import GistmillError, SettingsError
from models.settings import Settings

# Seconds for the broker to answer.
BROKER_SECONDS = 3
DATABASE, SCHEMA, BROKER, WORKERS = "results database", "tables", "broker", "workers"


class Servers:
    """The servers that the settings or a running ``gistmill up`` name.

    Args:
        settings: of this process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.has_workers_here = False
        try:
            self._urls = settings.require_database_url(), settings.require_broker_url()
            self._reason = None
        except SettingsError as error:
            self._reason = str(error)

    @property
    def are_named(self) -> bool:
        """True if addresses of both servers are known."""
        return self._reason is None

    def examine(self) -> Iterator[Diagnosis]:
        """Yield the conditions of database, tables, workers and broker."""
        if self._reason is not None:
            has_any = self._settings.database_url or self._settings.broker_url
            words = "none is running" if not has_any else self._reason
            yield (report if has_any else remark)("cluster", words, "start one with: gistmill up")
            return
        yield from self._examine_database(self._urls[0])
        yield from examine_broker(self._urls[1])

    def _examine_database(self, url: str) -> Iterator[Diagnosis]:
        from sqlalchemy import text

        from models.session import open_database

        try:
            with open_database(url) as engine, engine.connect() as connection:
                version = connection.execute(text("SHOW server_version")).scalar_one()
                address = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
                yield approve(DATABASE, f"PostgreSQL {version} answers at {address}")
                query = "SELECT version_num FROM alembic_version"
                is_there = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
                revision = connection.execute(text(query)).scalar() if is_there else None
                yield examine_schema(revision)
                if revision is not None:
                    yield from self._examine_workers(url)
        except GistmillError as error:
            yield report(DATABASE, str(error))

    def _examine_workers(self, url: str) -> Iterator[Diagnosis]:
        from models.lookup import list_live_workers
        from models.session import open_transaction

        with open_transaction(url) as session:
            workers = list_live_workers(session)
            self.has_workers_here = any(worker.details.get("hostname") == socket.gethostname() for worker in workers)
            served = Counter((worker.weights, worker.device) for worker in workers)
            engines = {worker.node: worker.details.get("engine") for worker in workers}
        if not served:
            yield remark(WORKERS, "none is running", "start one with: gistmill worker")
            return
        shown = ", ".join(f"{number} on {device} for weights {name}" for (name, device), number in served.items())
        yield approve(WORKERS, shown)
        for node, engine in engines.items():
            if engine and engine.get("prompts"):
                yield approve(f"engine of {node}", f"{engine.get('server')} takes prompts as {engine['prompts']}")


def examine_schema(revision: str | None) -> Diagnosis:
    """Return the condition of the tables: whether they are those of this version."""
    from migrations.run import find_head, is_known

    head = find_head()
    if revision is None:
        return report(SCHEMA, "there are none", "create them with: gistmill migrate")
    if revision == head:
        return approve(SCHEMA, f"revision {revision}, that of this version")
    if is_known(revision):
        return report(
            SCHEMA, f"revision {revision} is older than {head}, that of this version", "run: gistmill migrate"
        )
    return report(SCHEMA, f"revision {revision} is of a newer version", "install that version of gistmill here")


def examine_broker(url: str) -> Iterator[Diagnosis]:
    """Yield the condition of the broker."""
    import redis

    # Celery's options of TLS have other names than those of the client.
    address = urlsplit(url)
    shown = urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2], query=""))
    client = redis.Redis.from_url(
        urlunsplit(address._replace(query="")),
        socket_timeout=BROKER_SECONDS,
        socket_connect_timeout=BROKER_SECONDS,
        **_choose_trust(address.query),
    )
    try:
        info = client.info()
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except redis.ResponseError:
        # A managed server may refuse to tell its configuration.
        yield approve(BROKER, f"answers at {shown}")
        return
    except (redis.RedisError, OSError) as error:
        reason = " ".join(str(error).split())
        yield report(BROKER, f"does not answer at {shown} ({reason})", "start it, or set GISTMILL_BROKER_URL")
        return
    finally:
        client.close()
    name, version = info.get("server_name", "redis"), info.get("valkey_version", info.get("redis_version"))
    yield approve(BROKER, f"{name} {version} answers at {shown}")
    if policy != "noeviction":
        yield report(BROKER, f"it drops messages when it is full ({policy})", "set its maxmemory-policy to noeviction")


def _choose_trust(query: str) -> dict[str, object]:
    from urllib.parse import parse_qsl

    known = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}
    given = {name: value for name, value in parse_qsl(query) if name in known}
    reqs = {"CERT_NONE": "none", "CERT_OPTIONAL": "optional", "CERT_REQUIRED": "required"}
    return {name: reqs.get(value, value) for name, value in given.items()}
