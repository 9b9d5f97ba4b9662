"""Filled tables of steps for the benchmark: a batch is a hundred jobs of ten steps, a month a partition.

A month is loaded into tables of its own that become partitions at its end, so that ten million rows take minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
from rich.console import Console

from models.partitions import month_of

STEPS_PER_JOB = 10
JOBS_PER_BATCH = 100
# Open jobs of the present month: one in so many, so that a thousand steps have enough to claim.
OPEN_SHARE = 2, 10

DOCUMENT = """
INSERT INTO documents (sha256, format, text, details) VALUES (repeat('0', 64), 'text', 'A text.', '{}')
ON CONFLICT DO NOTHING
"""
# A random id of version 8 with a month in it.
JOBS = """
CREATE TEMP TABLE month_jobs ON COMMIT DROP AS
SELECT overlay(gen_random_uuid()::text PLACING '8' || lpad(to_hex(%(month)s), 3, '0') FROM 15 FOR 4)::uuid AS id,
    number, %(month)s || '-' || number / %(batch_jobs)s AS batch,
    number %% %(open_one_in)s = 0 AND %(is_now)s AS is_open
FROM generate_series(0, %(jobs)s - 1) AS number;
INSERT INTO batches (id, name, options, created_at)
SELECT gen_random_uuid(), batch, '{}', %(at)s FROM (SELECT DISTINCT batch FROM month_jobs) AS named;
INSERT INTO jobs (
    id, batch_id, identity, document_sha256, source, position, options, weights, priority, state, pending, summary,
    started_at, finished_at, created_at)
SELECT month_jobs.id, batches.id, number, repeat('0', 64), 'source', number, '{}', 'default', 3,
    CASE WHEN is_open THEN 'running' ELSE 'succeeded' END, CASE WHEN is_open THEN 1000 ELSE 0 END,
    CASE WHEN NOT is_open THEN 'A summary.' END, %(at)s, CASE WHEN NOT is_open THEN %(at)s END, %(at)s
FROM month_jobs JOIN batches ON batches.name = month_jobs.batch;
INSERT INTO chunks (job_id, index, start_at, end_at, headings, tokens)
SELECT id, place, 0, 7, '[]', 2 FROM month_jobs, generate_series(0, %(last)s) AS place WHERE is_open
"""
STEPS = """
INSERT INTO {steps} (
    id, job_id, kind, level, index, inputs, state, queue, priority, dispatched_at, dispatches, available_at, output,
    identity, started_at, finished_at, created_at)
SELECT
    overlay(
        gen_random_uuid()::text PLACING '00000000-0' || lpad(to_hex(%(month)s), 3, '0') || '-8' FROM 1 FOR 15
    )::uuid,
    id, CASE place WHEN %(last)s THEN 'reduce' ELSE 'map' END, 0, place,
    jsonb_build_array(jsonb_build_object('chunk', place)),
    CASE WHEN is_open THEN 'ready' ELSE 'done' END, 'map.default', 3 + place %% 3,
    now() - random() * interval '20 minutes', 1, %(at)s, CASE WHEN NOT is_open THEN 'A sentence of a summary.' END,
    CASE WHEN NOT is_open AND place = %(last)s THEN md5(id::text) END,
    %(at)s, CASE WHEN NOT is_open THEN %(at)s END, %(at)s
FROM month_jobs, generate_series(0, %(last)s) AS place;
INSERT INTO {attempts} (step_id, attempt, worker, started_at, outcome)
SELECT id, 1, 'w', started_at, 'done' FROM {steps} WHERE state = 'done'
"""
CREATE = """
CREATE TABLE {steps} (LIKE steps INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE {attempts} (LIKE step_attempts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
"""
ATTACH = """
ALTER TABLE {steps} ADD PRIMARY KEY (id);
CREATE INDEX ON {steps} (job_id, id);
ALTER TABLE {attempts} ADD PRIMARY KEY (step_id, attempt);
ALTER TABLE steps ATTACH PARTITION {steps} FOR VALUES FROM ('{low}') TO ('{high}');
ALTER TABLE step_attempts ATTACH PARTITION {attempts} FOR VALUES FROM ('{low}') TO ('{high}')
"""
CACHE = """
INSERT INTO cached_results (identity, step_id)
SELECT identity, id FROM steps WHERE identity IS NOT NULL ON CONFLICT DO NOTHING
"""


def fill_tables(url: str, rows: int, *, months: int) -> None:
    """Store so many steps with their jobs and attempts, spread over the last months, and analyze the tables."""
    jobs = rows // STEPS_PER_JOB // months
    with psycopg.connect(url, autocommit=True) as connection, Console().status("filling") as shown:
        connection.execute(DOCUMENT)
        for ago in reversed(range(months)):
            with connection.transaction():
                _fill_month(connection, ago, jobs)
            shown.update(f"{(months - ago) * jobs * STEPS_PER_JOB:,} steps")
        connection.execute(CACHE)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _fill_month(connection: psycopg.Connection, ago: int, jobs: int) -> None:
    now = datetime.now(UTC)
    month = month_of(now) - ago
    begin = datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    suffix = f"{begin:%Y_%m}"
    names = {"steps": f"steps_{suffix}", "attempts": f"step_attempts_{suffix}"}
    values = {
        "month": month,
        "jobs": jobs,
        "at": begin + timedelta(hours=1) if ago else now - timedelta(hours=1),
        "is_now": ago == 0,
        "last": STEPS_PER_JOB - 1,
        "batch_jobs": JOBS_PER_BATCH,
        "open_one_in": OPEN_SHARE[jobs > JOBS_PER_BATCH],
    }
    is_new = connection.execute("SELECT to_regclass(%s)", (names["steps"],)).fetchone() == (None,)
    run = psycopg.ClientCursor(connection).execute
    run(JOBS, values)
    if is_new:
        run(CREATE.format(**names))
    run(STEPS.format(**names), values)
    if is_new:
        low, high = (f"00000000-{number:04x}-0000-0000-000000000000" for number in (month, month + 1))
        run(ATTACH.format(**names, low=low, high=high))
