"""Retention by month: the steps of a month are dropped with their table, beside the steps of jobs that stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from models.deletion import DeletionRequest, begin_deletion, carry_out
from models.job import Job
from models.options import make_options
from models.partitions import add_partitions, month_of
from models.tables import Batch, Deletion, DeletionKind
from producer.retry import retry_job
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.jobs import add_jobs

NOW = datetime.now(UTC)
# Long enough ago that its month is over, however short it was.
PAST = NOW - timedelta(days=100)
UNCHECKED = make_options(grounding="off")


@pytest.fixture
def driver(cluster: Cluster) -> Driver:
    return Driver(cluster.engine)


def run_past(cluster: Cluster, driver: Driver, *texts: str, moment: datetime = PAST) -> list[UUID]:
    """Store jobs of a past month, run them, and move their ends there."""
    jobs, _ = add_jobs(cluster.engine, texts, options=UNCHECKED, submitted=moment)
    with Session(cluster.engine) as session, session.begin():
        add_partitions(session)
    for job in jobs:
        driver.run(job)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).where(Job.id.in_(jobs)).values(finished_at=moment))
    return jobs


def delete_old(cluster: Cluster, days: int = 90, kind: DeletionKind = DeletionKind.AGE) -> Deletion:
    """Delete what ended so many days ago."""
    subject = str(days) if kind is DeletionKind.RETENTION else (NOW - timedelta(days=days)).isoformat()
    with Session(cluster.engine) as session, session.begin():
        deletion = begin_deletion(session, DeletionRequest(kind, subject), by="a test")
    carry_out(cluster.engine, deletion)
    with Session(cluster.engine, expire_on_commit=False) as session:
        return session.get_one(Deletion, deletion)


def has_table(cluster: Cluster, moment: datetime) -> bool:
    with cluster.engine.connect() as connection:
        name = f"steps_{moment:%Y_%m}"
        both = text("SELECT to_regclass(:steps) IS NOT NULL AND to_regclass(:attempts) IS NOT NULL")
        return bool(connection.scalar(both, {"steps": name, "attempts": name.replace("steps", "step_attempts")}))


def count_rows(cluster: Cluster) -> tuple[int | None, ...]:
    """Return the numbers of jobs, steps and attempts."""
    with cluster.engine.connect() as connection:
        return tuple(
            connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("jobs", "steps", "step_attempts")
        )


def test_a_month_of_which_nothing_stays_goes_with_its_tables(cluster: Cluster, driver: Driver) -> None:
    run_past(cluster, driver, "One text.", "Another text.")
    [kept], _ = add_jobs(cluster.engine, ["A text of today."], options=UNCHECKED)
    driver.run(kept)

    deletion = delete_old(cluster)

    assert (deletion.jobs, deletion.steps) == (2, 10)
    assert not has_table(cluster, PAST)
    assert has_table(cluster, NOW)
    assert count_rows(cluster) == (1, 5, 5)
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_batch_that_is_kept_longer_keeps_its_steps_in_a_month_that_goes(cluster: Cluster, driver: Driver) -> None:
    run_past(cluster, driver, "One text.", "Another text.")
    [kept] = run_past(cluster, driver, "A text that is kept.")
    with Session(cluster.engine) as session, session.begin():
        batch = select(Job.batch_id).where(Job.id == kept).scalar_subquery()
        session.execute(update(Batch).where(Batch.id == batch).values(retention_days=1000))

    deletion = delete_old(cluster, kind=DeletionKind.RETENTION)

    assert (deletion.jobs, deletion.steps) == (2, 10)
    assert has_table(cluster, PAST)
    assert count_rows(cluster) == (1, 5, 5)
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_job_that_is_retried_after_the_look_keeps_the_table(cluster: Cluster, driver: Driver) -> None:
    [job] = run_past(cluster, driver, "A text.")
    drop = select(func.drop_step_partition(month_of(PAST), func.now() - timedelta(minutes=1)))
    with Session(cluster.engine) as session, session.begin():
        session.execute(text("UPDATE steps SET state = 'failed', output = NULL, error = '{}' WHERE kind = 'reduce'"))
        session.execute(text("UPDATE jobs SET state = 'failed', summary = NULL, reason = 'it failed'"))
    with Session(cluster.engine) as session, session.begin():
        retry_job(session, job)
    with Session(cluster.engine) as session, session.begin():
        assert session.scalar(drop) is False

    driver.close(job)

    with Session(cluster.engine) as session, session.begin():
        assert session.scalar(drop) is False
    assert has_table(cluster, PAST)
    assert count_rows(cluster) == (1, 5, 6)


def test_a_table_that_somebody_reads_is_emptied_row_by_row(cluster: Cluster, driver: Driver) -> None:
    run_past(cluster, driver, "A text.")
    with cluster.engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM steps"))

        deletion = delete_old(cluster)

        assert (deletion.jobs, deletion.steps) == (1, 5)
        assert count_rows(cluster) == (0, 0, 0)
    assert has_table(cluster, PAST)

    delete_old(cluster)

    assert not has_table(cluster, PAST)
