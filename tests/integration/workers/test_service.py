"""What a worker process says when it comes up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from models import step_updates
from models.publisher import make_celery
from models.settings import read_settings
from models.tables import Worker
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from workers.service import Served, Service


@pytest.mark.parametrize(("name", "is_warned"), [("default", True), ("reports", False)])
def test_two_sets_of_weights_under_one_name_are_told(name: str, is_warned: bool, cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        other = Worker(
            id="other", node="cpu0@other", host="h", pid=1, device="cpu", weights=name, weights_fingerprint="f"
        )
        other.details, other.started_at = {}, datetime.now(UTC)
        step_updates.register_worker(session, other)
    settings = read_settings(database_url=cluster.database_url, broker_url=cluster.broker_url, metrics_port=0)
    served = Served(FakeGenerator(), device="cpu", seconds_since_progress=lambda: 0.0, close=lambda: None)
    service = Service(settings, make_celery(cluster.broker_url), served, node="cpu0@here")

    with capture_logs() as logs:
        service.start()
    service.close()

    told = [line["worker"] for line in logs if line["event"] == "other_weights_under_this_name"]
    assert told == (["other"] if is_warned else [])
