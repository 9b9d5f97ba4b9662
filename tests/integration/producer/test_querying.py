from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from models.step import Step
from models.tables import Evaluation
from models.views import BatchProgress, ChunkText, JobSummary, SentenceText, TimelineStep
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.sentences import SENTENCES, SUMMARY, make_sentence

PAGE = Path(__file__).parents[3] / "docs" / "querying.md"
QUERIES = re.findall(r"^([^\n]+)\n\n```sql\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def worked(gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]) -> None:
    """Jobs of every kind: whole, partial with a marked answer, failed, measured, and one document twice."""
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES)
    driver.run(submitted[1].job_id, strategy="stuff", chunks=1, words="a long summary " * 40)
    driver.plan(submitted[2].job_id, strategy="stuff", chunks=1)
    driver.close(submitted[2].job_id, strategy="stuff", reason="the end is cut")
    driver.fail(submitted[3].job_id, "plan")
    gistmill("submit", "a.md", "--batch", "again", "--strategy", "refine")
    guard = {"name": "cut", "words": "it is cut", "try": 1, "stands": True}
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Step).where(Step.job_id == submitted[2].job_id).values(guards=[guard]))
        session.execute(insert(Evaluation).values(job_id=submitted[0].job_id, metric="rouge1", value=0.4))


@pytest.mark.parametrize(("question", "query"), QUERIES, ids=[question for question, _ in QUERIES])
def test_every_worked_query_has_an_answer(question: str, query: str, cluster: Cluster, worked: None) -> None:
    with cluster.engine.connect() as connection:
        assert connection.execute(text(query)).all()


def test_there_are_eleven_worked_queries() -> None:
    assert len(QUERIES) == 11


@pytest.mark.parametrize("view", [JobSummary, BatchProgress, TimelineStep, ChunkText, SentenceText])
def test_a_value_has_the_columns_of_its_view(
    view: type[JobSummary | BatchProgress | TimelineStep | ChunkText | SentenceText], cluster: Cluster
) -> None:
    with cluster.engine.connect() as connection:
        columns = connection.execute(text(f"SELECT * FROM {view.VIEW} LIMIT 0")).keys()

    assert tuple(columns) == tuple(field.name for field in fields(view))


def test_every_column_of_the_page_exists(cluster: Cluster) -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\| `([^`]+)` \|$", PAGE.read_text(), re.MULTILINE)

    assert len(rows) == 6
    with cluster.engine.connect() as connection:
        for view, columns in rows:
            connection.execute(text(f"SELECT {columns} FROM {view} LIMIT 0"))


def test_a_view_says_what_it_holds(cluster: Cluster) -> None:
    with cluster.engine.connect() as connection:
        comments = connection.execute(
            text("SELECT obj_description(viewname::regclass) FROM pg_views WHERE schemaname = 'public'")
        ).scalars()

        assert all(comment and comment.startswith("One row per") for comment in comments)


@pytest.mark.parametrize("view", ["job_summaries", "batch_progress", "weights_comparison"])
def test_what_came_from_the_cache_is_not_counted_as_generated(
    view: str, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id)
    figures = "tokens_per_second" if view == "weights_comparison" else "prompt_tokens, completion_tokens"
    with cluster.engine.begin() as connection:
        generated = connection.execute(text(f"SELECT {figures} FROM {view} ORDER BY 1 DESC NULLS LAST")).first()
        connection.execute(
            text(
                "UPDATE steps SET cached_from = id, prompt_tokens = 1000, completion_tokens = 200, seconds = 0 "
                "WHERE job_id = :job"
            ),
            {"job": submitted[1].job_id},
        )
        assert connection.execute(text(f"SELECT {figures} FROM {view} ORDER BY 1 DESC NULLS LAST")).first() == generated


def test_a_citation_has_its_passage_and_the_headings_above_it(
    cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    cited = make_sentence("It says.", "It says.", "verified", (38, 64), (700, 716))
    driver.run(submitted[0].job_id, words="It says.", sentences=[cited])

    with cluster.engine.connect() as connection:
        [row] = connection.execute(text("SELECT text, kind, citations FROM summary_sentences"))
        document = connection.execute(text("SELECT text FROM documents WHERE title = 'Title a'")).scalar_one()

    assert (row.text, row.kind) == ("It says.", "verified")
    assert row.citations == [
        {"start": 38, "end": 64, "text": document[38:64], "headings": ["Part 0"]},
        {"start": 700, "end": 716, "text": document[700:716], "headings": ["Part 2"]},
    ]


def test_weights_are_compared_by_their_shares_of_sentences(
    cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES[:2])
    driver.run(submitted[1].job_id, words=SUMMARY, sentences=SENTENCES[1:2])
    driver.run(submitted[2].job_id, words=SUMMARY)

    with cluster.engine.connect() as connection:
        shares = "SELECT mean_verified, mean_quoted, mean_flagged FROM weights_comparison WHERE strategy = 'map-reduce'"
        assert tuple(connection.execute(text(shares)).one()) == (0.25, 0.75, 0.0)
