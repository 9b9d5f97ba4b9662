"""Steps in partitions by month: what a worker reads, old and new ids side by side, and months without a partition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
from sqlalchemy import delete, make_url, text
from sqlalchemy.orm import Session

from models.job import Job
from models.outbox import mark_undispatched
from models.partitions import StepRange, add_partitions, month_of, stamp_month, step_id
from models.queues import StepMessage
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import Bell, HandDrivenWorker
from tests.jobs import SECTIONS, add_jobs, section_options
from tests.statement_plans import record_partitions
from workers.execution.reclaim import Reclaimer
from workers.execution.store import StepStore
from workers.planner import measure_rates

NOW = datetime.now(UTC)
# Ended jobs of other weights in each of the months before this one.
MONTHS = 4
FILL_JOBS = """
INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'past', '{}');
INSERT INTO documents (sha256, format, text) VALUES (repeat('0', 64), 'text', 'A text.');
INSERT INTO jobs (
    id, batch_id, identity, document_sha256, source, options, weights, priority, state, pending, summary,
    created_at, finished_at)
SELECT overlay(gen_random_uuid()::text PLACING '8' || lpad(to_hex(%(month)s - ago), 3, '0') FROM 15 FOR 4)::uuid,
    (SELECT id FROM batches WHERE name = 'past'), ago || '/' || number, repeat('0', 64), 'source', '{}', 'others', 3,
    'succeeded', 0, 'A summary.', now() - ago * interval '1 month', now() - ago * interval '1 month'
FROM generate_series(1, 100) AS number, generate_series(1, %(months)s) AS ago;
INSERT INTO steps (id, job_id, kind, level, index, state, queue, priority, output, started_at, finished_at)
SELECT overlay(gen_random_uuid()::text PLACING left(first_step_id(jobs.id)::text, 14) || '8' FROM 1 FOR 15)::uuid,
    jobs.id, 'map', 0, place, 'done', 'map.others', 3, 'An output.', jobs.created_at, jobs.created_at
FROM jobs, generate_series(1, 20) AS place;
SELECT add_step_partitions()
"""


def fill_past(cluster: Cluster) -> None:
    """Store ended jobs of the last months, with some thousands of steps."""
    script = FILL_JOBS % {"month": month_of(NOW), "months": MONTHS}
    with cluster.engine.begin() as connection:
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})
    with cluster.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def run_sql(cluster: Cluster, statement: str) -> None:
    """Run a statement over a connection whose statements are not recorded."""
    with psycopg.connect(make_url(cluster.database_url).set(drivername="postgresql").render_as_string(False)) as other:
        other.execute(statement)


def count_rows(cluster: Cluster, table: str = "steps") -> dict[str, int]:
    """Return the rows of each partition that has any."""
    with cluster.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")).all()
    return {row[0]: row[1] for row in rows}


def find_month(ago: int) -> datetime:
    """Return a moment of the month that lies so many months back."""
    year, month = divmod(month_of(NOW) - ago, 12)
    return datetime(1970 + year, month + 1, 15, tzinfo=UTC)


def run_rescue(cluster: Cluster) -> list[StepMessage]:
    """Run a whole pass of the rescue, with the searches that it makes now and then, and return what it sends."""
    queue = Bell()
    Reclaimer(
        cluster.engine, cluster.broker_url, queue, redispatch_seconds=0, restart_grace_seconds=0, retention_days=None
    ).run_pass()
    return queue.waiting


def test_no_statement_of_a_worker_reads_more_than_one_partition(cluster: Cluster) -> None:
    fill_past(cluster)
    options = section_options(strategy="map-reduce", gate=0.95)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    with record_partitions(cluster, cluster.engine) as seen:
        for _ in range(2):  # cached results of the first job answer the second one
            _, step_messages = add_jobs(cluster.engine, [SECTIONS], options=options)
            claim = worker.executor.claim(step_messages[0].step_id)
            assert claim is not None
            with worker.leases.hold(claim):
                worker.leases._renew()
                worker.leases._stop_cancelled()
            run_sql(cluster, "UPDATE steps SET lease_until = now() - interval '1 s' WHERE state = 'running'")
            assert run_rescue(cluster) == []  # it waits for a second first
            run_sql(cluster, "UPDATE steps SET available_at = now() WHERE state = 'ready'")
            worker.run_all(run_rescue(cluster))
        store = StepStore(cluster.engine, worker.bell, worker_id="w1", lease_seconds=60)
        store.find_check_rate("default", "f")
        store.read_source(replace(claim, inputs=[{"kind": "map", "level": 0, "index": 0}]))
        with Session(cluster.engine) as session:
            measure_rates(session, "default")
            mark_undispatched(session, [step_messages[0].step_id])

    with cluster.engine.connect() as connection:
        ended = text("SELECT count(*) FROM jobs WHERE weights = 'default' AND state = 'succeeded' AND round = 0")
        assert connection.scalar(ended) == 2
    assert [(statement, read) for statement, read in seen if len(read) > 1] == []
    # A search for open steps asks each partition by itself; all else was of this month.
    read_otherwise = [read for statement, read in seen if not statement.startswith("SELECT (EXISTS")]
    assert set().union(*read_otherwise) == {f"{NOW:%Y_%m}"}
    statements = " ".join(statement for statement, _ in seen)
    for part in ("attempt = steps.attempt + 1", "WITH ending AS", "cached_results", "SELECT steps.inputs", "LATERAL"):
        assert part in statements


def test_jobs_from_before_the_split_keep_their_ids_and_end_beside_new_ones(cluster: Cluster) -> None:
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    options = section_options(strategy="map-reduce")
    _, old = add_jobs(cluster.engine, [SECTIONS], options=options, is_old=True)
    _, last_month = add_jobs(cluster.engine, [SECTIONS], options=options, submitted=find_month(1))
    _, new = add_jobs(cluster.engine, [SECTIONS], options=options)
    assert count_rows(cluster) == {"steps_old": 1, "steps_default": 1, f"steps_{NOW:%Y_%m}": 1}

    worker.run_all(run_rescue(cluster) or [*old, *last_month, *new])

    expected = {f"{{}}_{part}": 8 for part in ("old", f"{find_month(1):%Y_%m}", f"{NOW:%Y_%m}")}
    assert count_rows(cluster) == {name.format("steps"): count for name, count in expected.items()}
    assert count_rows(cluster, "step_attempts") == {name.format("step_attempts"): n for name, n in expected.items()}
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_month_without_a_partition_loses_nothing_and_gets_one(cluster: Cluster) -> None:
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    [job], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"), submitted=find_month(3)
    )
    worker.run_all(step_messages)
    assert count_rows(cluster) == {"steps_default": 8}

    with Session(cluster.engine) as session, session.begin():
        assert add_partitions(session) == 1
        assert add_partitions(session) == 0

    assert count_rows(cluster) == {f"steps_{find_month(3):%Y_%m}": 8}
    assert count_rows(cluster, "step_attempts") == {f"step_attempts_{find_month(3):%Y_%m}": 8}
    assert_nothing_lost_or_doubled(cluster.engine)
    with Session(cluster.engine) as session, session.begin():
        session.execute(delete(Job).where(Job.id == job))
    assert count_rows(cluster) == count_rows(cluster, "step_attempts") == count_rows(cluster, "cached_results") == {}


def test_the_ids_of_sql_and_of_the_code_are_the_same(cluster: Cluster) -> None:
    for job in (uuid4(), stamp_month(uuid4(), NOW), stamp_month(uuid4(), datetime(2310, 12, 31, tzinfo=UTC))):
        step = step_id(job, "map", 0, 3)
        with cluster.engine.connect() as connection:
            bounds = connection.execute(text("SELECT first_step_id(:job), last_step_id(:job)"), {"job": job}).one()
        assert StepRange.of_step(step) == StepRange(*bounds)
        assert bounds[0] <= step <= bounds[1]
