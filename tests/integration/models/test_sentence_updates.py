"""Sentences and citations on a real Postgres: written with the summary, replaced with it and deleted with it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models.base import Json
from models.checks import request_check
from models.job import Job
from models.options import make_options
from models.recovery import finish_cancel
from models.sentence import Citation, SummarySentence
from models.step_updates import lock_job
from producer.retry import retry_job
from tests.chaos.invariants import assert_nothing_lost_or_doubled, find_violations
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.jobs import add_jobs
from tests.sentences import SENTENCES, SUMMARY, UNCHECKED, make_sentence
from workers.evaluation.metric import Metric
from workers.execution.checks import conclude_check

DOCUMENT = "# Title a\n\n" + "Document a says something. " * 9


@pytest.fixture
def driver(cluster: Cluster) -> Driver:
    """Ends steps as a worker does."""
    return Driver(cluster.engine)


def add_job(engine: Engine, **options: object) -> UUID:
    [job], _ = add_jobs(engine, [DOCUMENT], options=make_options(**options))
    return job


def read_sentences(engine: Engine, job: UUID) -> list[tuple[str, str, str | None]]:
    """Return text, kind and reason of every stored sentence of a job."""
    with Session(engine) as session:
        summary = session.get_one(Job, job).summary or ""
        rows = session.scalars(
            select(SummarySentence).where(SummarySentence.job_id == job).order_by(SummarySentence.index)
        )
        return [(summary[row.start_at : row.end_at], row.kind, row.reason) for row in rows]


def read_citations(engine: Engine, job: UUID) -> list[tuple[int, int, str]]:
    """Return sentence, index and text of every stored citation of a job."""
    with Session(engine) as session:
        rows = select(Citation).where(Citation.job_id == job).order_by(Citation.sentence, Citation.index)
        return [(row.sentence, row.index, DOCUMENT[row.start_at : row.end_at]) for row in session.scalars(rows)]


def read_counts(engine: Engine, job: UUID) -> tuple[int | None, ...]:
    with Session(engine) as session:
        return tuple(session.execute(select(Job.verified, Job.quoted, Job.flagged).where(Job.id == job)).one())


def judge(driver: Driver, job: UUID, second: Json, *, value: float) -> None:
    """Fail the gate with the first summary, write another, and measure that one."""
    with Session(driver.engine) as session, session.begin():
        request_check(session, lock_job(session, job))
    driver.finish_check(job, support=0.1)
    claim = driver.claim(job, "stuff", round_number=1)
    driver.finish(claim, output="It says this.", sentences=[second])
    with Session(driver.engine) as session, session.begin():
        conclude_check(session, lock_job(session, job), {"least_support": Metric(value)}, round_number=1)


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_the_sentences_of_the_last_step_become_rows_with_their_citations(
    strategy: str, cluster: Cluster, driver: Driver
) -> None:
    job = add_job(cluster.engine, grounding="flag")
    chunks = 1 if strategy == "stuff" else 3
    driver.run(job, strategy=strategy, chunks=chunks, words=SUMMARY, sentences=SENTENCES)  # type: ignore[arg-type]
    assert read_sentences(cluster.engine, job) == [
        ("It says much.", "verified", None),
        ("Document a says something.", "quoted", None),
        ("Boris saved 70 people.", "flagged", "70 is nowhere in the document"),
        ("It goes on.", "unchecked", None),
    ]
    assert read_citations(cluster.engine, job) == [
        (0, 0, "Title a"),
        (0, 1, "Document a says something."),
        (1, 0, "Document a says something."),
    ]
    assert read_counts(cluster.engine, job) == (1, 1, 1)
    assert_nothing_lost_or_doubled(cluster.engine)


@pytest.mark.parametrize(
    ("sentences", "broken"),
    [
        ((), {"ungrounded_sentences": 1}),
        (SENTENCES[2:], {"ungrounded_sentences": 2, "uncited_sentences": 2}),
        ((make_sentence(SUMMARY, "It goes on.", "quoted", (11, 37)),), {"false_quotations": 1}),
    ],
    ids=["none", "flagged", "misquoted"],
)
def test_a_summary_that_is_not_grounded_breaks_a_promise(
    sentences: tuple[Json, ...], broken: dict[str, int], cluster: Cluster, driver: Driver
) -> None:
    driver.run(add_job(cluster.engine), words=SUMMARY, sentences=sentences)
    assert find_violations(cluster.engine).details == broken


def test_sentences_that_nothing_checked_are_stored_and_not_counted(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine)
    driver.run(job, words=SUMMARY, sentences=UNCHECKED)
    assert [kind for _, kind, _ in read_sentences(cluster.engine, job)] == ["unchecked"] * 2
    assert read_counts(cluster.engine, job) == (None, None, None)


def test_a_summary_without_sentences_has_no_counts(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine)
    driver.run(job)
    assert read_sentences(cluster.engine, job) == []
    assert read_counts(cluster.engine, job) == (None, None, None)


def test_a_second_try_that_is_better_replaces_the_sentences(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine, strategy="stuff", gate=0.5)
    driver.run(job, strategy="stuff", chunks=1, words=SUMMARY, sentences=SENTENCES)
    judge(driver, job, make_sentence("It says this.", "It says this.", "verified", (11, 37)), value=0.9)
    assert read_sentences(cluster.engine, job) == [("It says this.", "verified", None)]
    assert read_citations(cluster.engine, job) == [(0, 0, "Document a says something.")]
    assert read_counts(cluster.engine, job) == (1, 0, 0)


def test_a_second_try_that_is_better_and_unchecked_leaves_no_counts(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine, strategy="stuff", gate=0.5)
    driver.run(job, strategy="stuff", chunks=1, words=SUMMARY, sentences=SENTENCES)
    judge(driver, job, make_sentence("It says this.", "It says this.", "unchecked"), value=0.9)
    assert read_counts(cluster.engine, job) == (None, None, None)


def test_a_second_try_that_is_worse_leaves_the_sentences(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine, strategy="stuff", gate=0.5)
    driver.run(job, strategy="stuff", chunks=1, words=SUMMARY, sentences=SENTENCES)
    judge(driver, job, make_sentence("It says this.", "It says this.", "verified", (11, 37)), value=0.05)
    assert len(read_sentences(cluster.engine, job)) == len(SENTENCES)
    assert read_counts(cluster.engine, job) == (1, 1, 1)


def test_a_retry_deletes_the_sentences_with_the_summary_and_a_cancellation_leaves_none(
    cluster: Cluster, driver: Driver
) -> None:
    job = add_job(cluster.engine)
    driver.plan(job)
    driver.fail(job, "map", 1)
    for index in (0, 2):
        driver.finish(driver.claim(job, "map", index), output="part", sentences=UNCHECKED[:1])
    driver.close(job, words=SUMMARY, sentences=SENTENCES)
    assert read_counts(cluster.engine, job) == (1, 1, 1)
    with Session(cluster.engine) as session, session.begin():
        retry_job(session, job)
    assert read_sentences(cluster.engine, job) == read_citations(cluster.engine, job) == []
    assert read_counts(cluster.engine, job) == (None, None, None)
    with Session(cluster.engine) as session, session.begin():
        lock_job(session, job).cancel_requested_at = session.get_one(Job, job).created_at
        session.flush()
        assert finish_cancel(session, job)
    assert read_sentences(cluster.engine, job) == []
    assert read_counts(cluster.engine, job) == (None, None, None)


def test_a_job_takes_its_sentences_with_it(cluster: Cluster, driver: Driver) -> None:
    job = add_job(cluster.engine)
    driver.run(job, words=SUMMARY, sentences=SENTENCES)
    with Session(cluster.engine) as session, session.begin():
        session.delete(session.get_one(Job, job))
    assert count_rows(cluster.engine) == 0


def count_rows(engine: Engine) -> int:
    with Session(engine) as session:
        return len(session.scalars(select(SummarySentence)).all()) + len(session.scalars(select(Citation)).all())
