"""A hostile tenant of Redis: whoever has its password can send messages, and gains no more than a wasted claim."""

from __future__ import annotations

import base64
import json
import os
import pickle
import uuid
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from models.publisher import CeleryPublisher, make_celery
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import run_server


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def send(
    broker: redis.Redis,
    body: bytes,
    *,
    task: str = "gistmill.map",
    content_type: str = "application/json",
    encoding: str = "utf-8",
    label: str = "",
) -> None:
    """Put a message on the queue of map steps as kombu lays it out, with any content."""
    message = {
        "body": base64.b64encode(body).decode(),
        "content-type": content_type,
        "content-encoding": encoding,
        "headers": {"lang": "py", "task": task, "id": str(uuid.uuid4()), "argsrepr": label, "kwargsrepr": ""},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "map.default"},
            "priority": 0,
        },
    }
    broker.lpush("map.default", json.dumps(message))


def call(*arguments: object) -> bytes:
    """Return the body of a message with these arguments."""
    return json.dumps([arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()


def test_hostile_messages_run_nothing_and_stop_nobody(cluster: Cluster, tmp_path: Path) -> None:
    bombs = [tmp_path / name for name in ("pickled", "yaml", "shell")]
    worker = describe_command(
        "-m", "tests.fake_worker", database_url=cluster.database_url, broker_url=cluster.broker_url
    )
    broker = redis.Redis.from_url(cluster.broker_url)
    with run_server(worker, tmp_path / "worker.log"):
        send(broker, pickle.dumps(Bomb(bombs[0])), content_type="application/x-python-serialize", encoding="binary")
        evil = f"!!python/object/apply:os.mkdir ['{bombs[1]}']".encode()
        send(broker, evil, content_type="application/x-yaml")
        send(broker, call(f"mkdir {bombs[2]}"), task="os.system")
        # As of a newer version: its names are for Flower, not for a log.
        send(broker, call(str(uuid.uuid4())), task="gistmill.translate", label="Zanzibar.md, batch pile")
        send(broker, call(str(uuid.uuid4())), task="celery.backend_cleanup")
        send(broker, call(str(uuid.uuid4())))
        send(broker, call("'; DROP TABLE steps; --"))
        send(broker, call({"a": [1, 2]}, None))
        send(broker, call())
        send(broker, b"[" * 100_000)
        send(broker, bytes(1024))
        broker.lpush("map.default", "not even a message")
        _, step_messages = add_jobs(cluster.engine, ["A text to summarize."])
        CeleryPublisher(make_celery(cluster.broker_url)).publish(step_messages)
        wait_until(lambda: _count(cluster, "jobs WHERE state = 'succeeded'") == 1, "a good job ends all the same")
        wait_until(lambda: broker.llen("map.default") == 0, "every message is taken")
    assert [bomb for bomb in bombs if bomb.exists()] == []
    log = (tmp_path / "worker.log").read_text()
    assert "gistmill.translate" in log
    assert "Zanzibar" not in log
    assert _count(cluster, "steps WHERE state NOT IN ('done')") == 0
    broker.close()


def test_a_message_for_a_finished_step_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    worker = describe_command(
        "-m", "tests.fake_worker", database_url=cluster.database_url, broker_url=cluster.broker_url
    )
    _, step_messages = add_jobs(cluster.engine, ["A text to summarize."])
    broker = redis.Redis.from_url(cluster.broker_url)
    with run_server(worker, tmp_path / "worker.log"):
        CeleryPublisher(make_celery(cluster.broker_url)).publish(step_messages)
        wait_until(lambda: _count(cluster, "jobs WHERE state = 'succeeded'") == 1, "the job ends")
        before = _read_steps(cluster)
        for step, *_ in before:
            send(broker, call(str(step)), task="gistmill.reduce")
        wait_until(lambda: broker.llen("map.default") == 0, "every message is taken")
    assert _read_steps(cluster) == before
    broker.close()


def test_what_lies_on_the_broker_holds_no_text_of_a_document(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["The formula is a well kept secret."])
    CeleryPublisher(make_celery(cluster.broker_url)).publish(step_messages)
    with redis.Redis.from_url(cluster.broker_url) as broker:
        messages = [message for name in broker.keys("plan.*") for message in broker.lrange(name, 0, -1)]
    assert len(messages) == 1
    body = base64.b64decode(json.loads(messages[0])["body"])
    assert json.loads(body)[0] == [str(step_messages[0].step_id)]
    assert b"secret" not in messages[0] + body


def test_the_broker_asks_for_its_password(cluster: Cluster) -> None:
    url = "redis://" + cluster.broker_url.rsplit("@", 1)[1]
    with redis.Redis.from_url(url) as broker, pytest.raises(redis.AuthenticationError):
        broker.ping()


def _count(cluster: Cluster, rows: str) -> int:
    with cluster.engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one()


def _read_steps(cluster: Cluster) -> list[tuple[object, ...]]:
    with cluster.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM steps ORDER BY id"))]
