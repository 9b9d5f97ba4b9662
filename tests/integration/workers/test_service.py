"""The start of a worker process."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from models import step_updates
from models.lookup import list_live_workers
from models.publisher import make_celery
from models.settings import read_settings
from models.tables import Worker
from tests.conftest import Cluster, wait_until
from tests.fake_engine import FakeGenerator
from workers.execution.reclaim import host_identity
from workers.service import Served, Service


def register_other(cluster: Cluster, *, host: str = "elsewhere") -> None:
    """Record a live worker that serves other weights under the default name."""
    other = Worker(
        id="other", node="gpu0@other", host=host, pid=1, device="cuda", weights="default", weights_fingerprint="f" * 64
    )
    # No process of this host has begun then.
    other.details, other.started_at = {"served_weights": "gemma-3-4b-it, bfloat16"}, datetime(2020, 1, 1, tzinfo=UTC)
    with Session(cluster.engine) as session, session.begin():
        step_updates.register_worker(session, other)


def make_service(cluster: Cluster, name: str = "default") -> Service:
    settings = read_settings(
        database_url=cluster.database_url, broker_url=cluster.broker_url, metrics_port=0, weights_name=name
    )
    details = {"served_weights": "gemma-3-270m, int8"}
    served = Served(FakeGenerator(), "cpu", lambda: 0.0, lambda: None, details=details)
    return Service(settings, make_celery(cluster.broker_url), served, node="cpu0@here")


def list_nodes(cluster: Cluster) -> list[str]:
    with Session(cluster.engine) as session:
        return [worker.node for worker in list_live_workers(session)]


def test_a_worker_waits_until_no_live_one_serves_other_weights_under_its_name(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.service.NAME_SECONDS", 0.01)
    register_other(cluster)
    service = make_service(cluster)

    with capture_logs() as logs:
        start = threading.Thread(target=service.start)
        start.start()
        wait_until(lambda: bool(logs), "the worker waits")
        assert list_nodes(cluster) == ["gpu0@other"]
        with Session(cluster.engine) as session, session.begin():
            step_updates.stop_worker(session, "other")
        start.join()
    assert list_nodes(cluster) == ["cpu0@here"]
    service.close()

    [told] = [line for line in logs if line["event"] == "waiting_for_other_weights"]
    assert told["ours"] == "gemma-3-270m, int8 (fake)"
    assert told["theirs"] == ["gpu0@other: gemma-3-4b-it, bfloat16 (ffffffff)"]


@pytest.mark.parametrize(("name", "host"), [("reports", "elsewhere"), ("default", host_identity())])
def test_weights_of_another_name_and_those_of_a_dead_process_stop_no_worker(
    name: str, host: str, cluster: Cluster
) -> None:
    register_other(cluster, host=host)
    service = make_service(cluster, name)

    service.start()

    assert "cpu0@here" in list_nodes(cluster)
    service.close()
