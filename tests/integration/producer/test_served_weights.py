"""Which weights made a summary: in words and by fingerprint wherever a summary is shown, and never two in one mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

import gistmill as public
from models.step import Step
from models.tables import Worker
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill, read_job, read_jobs

OLD, NEW = "1a2b3c4d" * 8, "9f8e7d6c" * 8
OLD_WORDS = "gemma-3-270m, adapter posts, int8 (1a2b3c4d)"
NEW_WORDS = "gemma-3-270m, int8 (9f8e7d6c)"


@pytest.fixture
def workers(cluster: Cluster) -> None:
    """Two workers that served other weights under one name, one after the other."""
    with Session(cluster.engine) as session, session.begin():
        for day, (fingerprint, words) in enumerate(((OLD, OLD_WORDS), (NEW, NEW_WORDS)), start=1):
            worker = Worker(id=fingerprint, node="cpu@test", host="test", pid=1, device="cpu", weights="default")
            worker.weights_fingerprint = fingerprint
            worker.details = {"served_weights": words.rpartition(" (")[0]}
            worker.started_at = worker.heartbeat_at = worker.stopped_at = datetime(2026, 11, day, tzinfo=UTC)
            session.add(worker)


def summarize(cluster: Cluster, driver: Driver, job: JobSummary, *fingerprints: str) -> None:
    """Run a job to its end; its steps are by these weights, in turn."""
    driver.run(job.job_id, strategy="map-reduce", words="A summary.")
    with Session(cluster.engine) as session, session.begin():
        steps = session.query(Step.id).filter(Step.job_id == job.job_id, Step.kind != "plan").order_by(Step.id).all()
        for number, (step,) in enumerate(steps):
            value = fingerprints[number % len(fingerprints)]
            session.execute(update(Step).where(Step.id == step).values(weights_fingerprint=value))


@pytest.fixture
def summarized(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary], workers: None
) -> list[JobSummary]:
    """Two jobs by the old weights, one by the new ones, one by both."""
    for job, fingerprints in zip(submitted, ((OLD,), (OLD,), (NEW,), (OLD, NEW)), strict=True):
        summarize(cluster, driver, job, *fingerprints)
    return submitted


def test_a_summary_has_its_weights_in_words_and_by_fingerprint(
    gistmill: Gistmill, cluster: Cluster, summarized: list[JobSummary], tmp_path: Path
) -> None:
    first, _, third, mixed = (read_job(cluster, job.job_id) for job in summarized)

    assert (first.served_weights, first.weights_fingerprint) == (OLD_WORDS, OLD)
    assert (third.served_weights, third.weights_fingerprint) == (NEW_WORDS, NEW)
    assert (mixed.served_weights, mixed.weights_fingerprint) == (f"{OLD_WORDS} and {NEW_WORDS}", f"{OLD} {NEW}")
    shown = f"default: {OLD_WORDS}"
    assert shown in gistmill("results", "pile").out
    assert shown in gistmill("show", str(first.job_id)).out
    assert f"weights {shown}" in gistmill("export", "pile", "--format", "markdown").out
    header, row, *_ = gistmill("export", "pile", "--columns", "source,served_weights,weights_fingerprint").out.split(
        "\r\n"
    )
    assert header == "source,served_weights,weights_fingerprint"
    assert row == f'a.md,"{OLD_WORDS}",{OLD}'
    assert [row["served_as"] for row in gistmill("weights", "list", "--json").json] == [[NEW_WORDS]]
    gistmill("report", "pile", "--output", "report.html")
    page = (tmp_path / "report.html").read_text()
    assert f"<td>default: {NEW_WORDS}</td>" in page
    assert f"weights {shown}" in page
    with public.connect(cluster.database_url, broker_url=cluster.broker_url) as client:
        assert [summary.weights for summary in client.summaries("pile", limit=1)] == [shown]


def test_a_job_without_a_call_is_listed_with_the_weights_of_the_others(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary], workers: None
) -> None:
    summarize(cluster, driver, submitted[0], OLD)

    listed = gistmill("results", "pile").out

    assert listed.endswith(f"weights of all: default: {OLD_WORDS}\n")
    assert listed.count(OLD_WORDS) == 1


def test_two_sets_of_weights_under_one_name_are_compared_apart(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, summarized: list[JobSummary]
) -> None:
    gistmill("submit", "a.md", "b.md", "c.md", "d.md", "--batch", "other", "--style", "news")
    for job in read_jobs(cluster):
        if job.batch == "other":
            summarize(cluster, driver, job, NEW)

    found = gistmill("compare", "pile", "other", "--json").json

    old, new = f"default: {OLD_WORDS}", f"default: {NEW_WORDS}"
    assert (found["documents"], found["weights"]) == (2, [old, new])
    assert [(other["documents"], other["weights"]) for other in found["others"]] == [(1, [new, new])]
    assert found["unpaired"] == {"made by two sets of weights in the first batch": ["d.md"]}
    printed = gistmill("compare", "pile", "other").out
    assert f"  pile by {old}\n  other by {new}\n" in printed
    assert (
        f"apart because other weights had the same name then:\n1 document in both pile and other\n  pile by {new}"
        in printed
    )
    with cluster.engine.connect() as connection:
        query = text("SELECT jobs, weights_fingerprint FROM weights_comparison ORDER BY weights_fingerprint")
        assert [tuple(row) for row in connection.execute(query)] == [(2, OLD), (1, f"{OLD} {NEW}"), (5, NEW)]
