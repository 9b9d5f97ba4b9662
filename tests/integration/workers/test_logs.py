"""What a worker logs: a line of JSON per event with the ids it is about, and nothing that a document says."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import text

from models.publisher import CeleryPublisher, make_celery
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import run_server

SECRET = "Zanzibar"


def test_every_event_of_a_step_names_batch_job_step_and_worker_and_no_text(cluster: Cluster, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    settings = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    _, step_messages = add_jobs(cluster.engine, [f"{SECRET} is what this document is about."])
    with run_server(describe_command("-m", "tests.fake_worker", **settings), log):
        CeleryPublisher(make_celery(cluster.broker_url)).publish(step_messages)
        wait_until(lambda: '"job_ended"' in log.read_text(), "the job ends")

    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    ours = [line for line in lines if line["event"] in {"planned", "step_done", "job_ended"}]
    assert {line["event"] for line in ours} == {"planned", "step_done", "job_ended"}
    with cluster.engine.connect() as connection:
        [row] = connection.execute(text("SELECT batch_id, id FROM jobs")).all()
        steps = {str(step) for step in connection.execute(text("SELECT id FROM steps")).scalars()}
        worker = connection.execute(text("SELECT id FROM workers")).scalar_one()
    assert {(line["batch"], line["job"], line["worker"]) for line in ours} == {(str(row[0]), str(row[1]), worker)}
    assert {line["step"] for line in ours} == steps
    assert SECRET not in log.read_text()
