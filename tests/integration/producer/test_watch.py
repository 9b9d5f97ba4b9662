from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text, update
from sqlalchemy.orm import Session

from gistmill.cli.live import describe_event
from models.job import Job
from models.lookup import find_batch
from models.session import connect
from models.views import JobSummary
from producer.status import Snapshot, take_snapshot
from producer.watch import Outage, WatchEvent, follow_batch, poll_batch
from tests.conftest import Cluster, wait_until
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.processes import PATIENCE
from tests.sentences import SENTENCES, SUMMARY

CHECKED = ("--strategy", "stuff", "--check")
GATED = ("--batch", "gated", "--strategy", "stuff", "--gate", "0.5")


def end_all(driver: Driver, jobs: list[JobSummary]) -> None:
    for job in jobs:
        driver.run(job.job_id)


def test_watching_ends_with_the_last_job(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    work = Thread(target=end_all, args=(driver, submitted))
    work.start()

    done = gistmill("watch", "pile", "--interval", "0.1")
    work.join()

    assert done.code == 0
    assert "4 of 4 jobs" in done.out
    assert "batch pile has ended: 4 succeeded in " in done.out


def test_jobs_that_did_not_succeed_give_exit_code_3(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.fail(submitted[3].job_id, "plan")
    end_all(driver, submitted[:3])

    done = gistmill("watch")

    assert done.code == 3
    assert "failed  d.md: it broke" in done.out


def test_the_end_counts_the_sentences_and_a_flagged_one_alone_is_no_failure(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    for job in submitted:
        driver.run(job.job_id, words=SUMMARY, sentences=SENTENCES)

    for words in (["watch", "pile"], ["submit", "a.md", "--batch", "pile", "--wait"]):
        done = gistmill(*words)
        ended = next(line for line in done.out.splitlines() if "has ended: 4 succeeded in " in line)
        assert ended.endswith(": 4 sentences verified, 4 quoted, 4 flagged")
        assert "read what is flagged with: gistmill results pile --flagged\n" in done.out
        assert done.code == 0


def test_a_summary_below_its_gate_gives_exit_code_3(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    gistmill("submit", "a.md", *GATED)
    [job] = gistmill("results", "gated", "--json").json
    driver.run(UUID(job["job_id"]), strategy="stuff", chunks=1)
    driver.finish_check(UUID(job["job_id"]), support=0.2)
    gistmill("cancel", "gated")

    for words in (["watch", "gated"], ["submit", "a.md", *GATED, "--wait"]):
        done = gistmill(*words)
        assert "has ended: 1 succeeded, 1 need review" in done.out
        assert done.code == 3


def test_the_time_at_the_end_is_that_of_the_checks_too(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    gistmill("submit", "a.md", "--batch", "checked", *CHECKED)
    [job] = gistmill("results", "checked", "--json").json
    driver.run(UUID(job["job_id"]), strategy="stuff", chunks=1)
    driver.finish_check(UUID(job["job_id"]))
    with cluster.engine.begin() as connection:
        begun = connection.execute(text("SELECT started_at FROM jobs WHERE id = :id"), {"id": job["job_id"]}).scalar()
        ended = {"at": begun + timedelta(minutes=5, seconds=2), "id": job["job_id"]}
        connection.execute(text("UPDATE steps SET finished_at = :at WHERE kind = 'evaluate' AND job_id = :id"), ended)

    for words in (["watch", "checked"], ["submit", "a.md", "--batch", "checked", *CHECKED, "--wait"]):
        assert "batch checked has ended: 1 succeeded in 5 min 2 s" in gistmill(*words).out
    assert gistmill("status", "checked").out.count(f"{ended['at'].astimezone():%H:%M:%S}") == 1


def test_a_check_that_is_ordered_later_adds_its_own_time_alone(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    gistmill("submit", "a.md", "--batch", "checked", "--strategy", "stuff")
    [job] = gistmill("results", "checked", "--json").json
    driver.run(UUID(job["job_id"]), strategy="stuff", chunks=1)
    gistmill("evaluate", "checked")
    driver.finish_check(UUID(job["job_id"]))
    moments = (
        "created_at = j.finished_at + interval '1 hour', finished_at = j.finished_at + interval '1 hour 90 seconds'"
    )
    check = f"UPDATE steps s SET {moments} FROM jobs j WHERE j.id = s.job_id AND s.kind = 'evaluate' AND j.id = :id"
    with cluster.engine.begin() as connection:
        connection.execute(text(check), {"id": job["job_id"]})

    assert "batch checked has ended: 1 succeeded in 1 min 30 s" in gistmill("watch", "checked").out


def test_a_command_that_waits_says_now_and_then_how_far_it_is(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    end_all(driver, submitted)
    monkeypatch.setattr("gistmill.cli.live.WAITING_SECONDS", -1)

    done = gistmill("submit", "a.md", "--batch", "pile", "--wait", "--json")

    assert "4 of 4 jobs, 20 of 20 steps" in done.err
    assert done.json["progress"]["succeeded"] == 4


def test_a_look_names_weights_that_nobody_serves(cluster: Cluster, driver: Driver, submitted: list[JobSummary]) -> None:
    with Session(cluster.engine) as session:
        batch = find_batch(session, "pile").batch_id
        assert describe_event(take_snapshot(session, batch)).endswith("no worker is running")
        driver.register()
        assert "no worker" not in describe_event(take_snapshot(session, batch))
        session.execute(update(Job).values(weights="reports"))
        assert describe_event(take_snapshot(session, batch)).endswith("no worker serves reports")


def test_every_look_is_a_line_of_json(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    end_all(driver, submitted)

    done = gistmill("watch", "pile", "--json")

    assert done.json["progress"]["succeeded"] == 4


def test_submit_can_wait_for_the_end(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    end_all(driver, submitted)

    waited = gistmill("submit", "a.md", "b.md", "c.md", "d.md", "--batch", "pile", "--wait")

    assert waited.code == 0
    assert "4 jobs already there" in waited.out
    assert "batch pile has ended: 4 succeeded" in waited.out
    assert gistmill("submit", "a.md", "--batch", "pile", "--wait", "--json").json["progress"]["succeeded"] == 4


def test_watching_waits_for_a_database_that_restarts(
    cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    """The server cuts every connection and lets nobody in for a while, as it does when it restarts."""
    admin = create_engine(cluster.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = cluster.engine.url.database
    watcher = connect(cluster.database_url, pool_size=1)
    with driver.engine.connect() as connection:
        batch = find_batch(connection, "pile").batch_id  # type: ignore[arg-type]
    looks: list[WatchEvent] = []

    def show(look: WatchEvent) -> None:
        looks.append(look)
        with admin.connect() as connection:
            if len(looks) == 1:
                connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
                )
            if len(looks) == 3:
                connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
                driver.engine.dispose()
                end_all(driver, submitted)

    last = follow_batch(partial(poll_batch, watcher, batch), show, interval_seconds=0.05)
    watcher.dispose()
    admin.dispose()

    assert [type(look) for look in looks[:3]] == [Snapshot, Outage, Outage]
    assert last.progress.succeeded == 4


@pytest.mark.parametrize("command", [["watch", "pile"], ["submit", "a.md", "--batch", "pile", "--wait"]])
def test_ctrl_c_ends_the_watching_and_not_the_work(
    command: list[str], cluster: Cluster, driver: Driver, submitted: list[JobSummary], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "gistmill", *command], stdout=file, stderr=subprocess.STDOUT, cwd=tmp_path
        )

    def is_watching() -> bool:
        return "0 of 4 jobs" in output.read_text() or "already there" in output.read_text()

    wait_until(is_watching, "the command watches")
    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=PATIENCE) == 130
    assert "stopped; the work goes on" in output.read_text()
    end_all(driver, submitted)
