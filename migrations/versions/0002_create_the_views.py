"""create the views that people query.

Revision: 0002, after 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JOB_SUMMARIES = """
CREATE VIEW job_summaries AS
SELECT
    jobs.id AS job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    documents.title,
    jobs.document_sha256,
    jobs.state,
    coalesce(jobs.strategy, jobs.options ->> 'strategy') AS strategy,
    jobs.options ->> 'style' AS style,
    jobs.weights,
    jobs.priority,
    jobs.summary,
    jobs.reason,
    jobs.created_at,
    jobs.started_at,
    jobs.finished_at,
    extract(epoch FROM jobs.finished_at - jobs.started_at)::double precision AS seconds,
    documents.characters AS document_characters,
    char_length(jobs.summary) AS summary_characters,
    char_length(jobs.summary)::double precision / documents.characters AS compression,
    chunked.chunks,
    chunked.document_tokens,
    work.steps,
    work.steps_done,
    work.steps_failed,
    work.prompt_tokens,
    work.completion_tokens,
    work.generation_seconds,
    work.retries,
    work.cached_steps,
    work.guards,
    measured.metrics
FROM jobs
JOIN batches ON batches.id = jobs.batch_id
JOIN documents ON documents.sha256 = jobs.document_sha256
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks, sum(chunks.tokens) AS document_tokens
    FROM chunks WHERE chunks.job_id = jobs.id
) AS chunked
CROSS JOIN LATERAL (
    SELECT
        count(*) AS steps,
        count(*) FILTER (WHERE steps.state = 'done') AS steps_done,
        count(*) FILTER (WHERE steps.state = 'failed') AS steps_failed,
        coalesce(sum(steps.prompt_tokens), 0) AS prompt_tokens,
        coalesce(sum(steps.completion_tokens), 0) AS completion_tokens,
        coalesce(sum(steps.seconds), 0) AS generation_seconds,
        coalesce(sum(greatest(steps.attempt - 1, 0)), 0) AS retries,
        count(steps.cached_from) AS cached_steps,
        coalesce(sum(jsonb_array_length(steps.guards)), 0) AS guards
    FROM steps WHERE steps.job_id = jobs.id
) AS work
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(evaluations.metric, evaluations.value), '{}') AS metrics
    FROM evaluations WHERE evaluations.job_id = jobs.id
) AS measured
"""

BATCH_PROGRESS = """
CREATE VIEW batch_progress AS
SELECT
    batches.id AS batch_id,
    batches.name AS batch,
    batches.created_at,
    counted.started_at,
    CASE WHEN counted.queued + counted.running = 0 THEN counted.finished_at END AS finished_at,
    counted.jobs,
    counted.queued,
    counted.running,
    counted.succeeded,
    counted.partial,
    counted.failed,
    counted.cancelled,
    work.steps,
    work.steps_ready,
    work.steps_running,
    work.steps_done,
    work.steps_failed,
    work.prompt_tokens,
    work.completion_tokens,
    work.cached_steps
FROM batches
CROSS JOIN LATERAL (
    SELECT
        count(*) AS jobs,
        count(*) FILTER (WHERE jobs.state = 'queued') AS queued,
        count(*) FILTER (WHERE jobs.state = 'running') AS running,
        count(*) FILTER (WHERE jobs.state = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE jobs.state = 'partial') AS partial,
        count(*) FILTER (WHERE jobs.state = 'failed') AS failed,
        count(*) FILTER (WHERE jobs.state = 'cancelled') AS cancelled,
        min(jobs.started_at) AS started_at,
        max(jobs.finished_at) AS finished_at
    FROM jobs WHERE jobs.batch_id = batches.id
) AS counted
CROSS JOIN LATERAL (
    SELECT
        count(*) AS steps,
        count(*) FILTER (WHERE steps.state = 'ready') AS steps_ready,
        count(*) FILTER (WHERE steps.state = 'running') AS steps_running,
        count(*) FILTER (WHERE steps.state = 'done') AS steps_done,
        count(*) FILTER (WHERE steps.state = 'failed') AS steps_failed,
        coalesce(sum(steps.prompt_tokens), 0) AS prompt_tokens,
        coalesce(sum(steps.completion_tokens), 0) AS completion_tokens,
        count(steps.cached_from) AS cached_steps
    FROM jobs JOIN steps ON steps.job_id = jobs.id
    WHERE jobs.batch_id = batches.id
) AS work
"""

STEP_TIMELINE = """
CREATE VIEW step_timeline AS
SELECT
    steps.id AS step_id,
    steps.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    steps.kind,
    steps.level,
    steps.index,
    steps.state,
    split_part(coalesce(steps.worker, steps.lease_owner), '#', 1) AS worker,
    steps.created_at,
    steps.started_at,
    steps.finished_at,
    extract(epoch FROM steps.started_at - steps.created_at)::double precision AS waited_seconds,
    extract(epoch FROM steps.finished_at - steps.started_at)::double precision AS ran_seconds,
    steps.seconds AS generation_seconds,
    steps.prompt_tokens,
    steps.completion_tokens,
    steps.completion_tokens / nullif(steps.seconds, 0) AS tokens_per_second,
    steps.attempt AS attempts,
    steps.errors,
    steps.crashes,
    steps.cached_from IS NOT NULL AS is_cached,
    steps.finish_reason,
    steps.guards,
    steps.error ->> 'message' AS error
FROM steps
JOIN jobs ON jobs.id = steps.job_id
JOIN batches ON batches.id = jobs.batch_id
"""

WEIGHTS_COMPARISON = """
CREATE VIEW weights_comparison AS
WITH measured AS (
    SELECT weights, strategy, style, metric, avg(value) AS mean
    FROM job_summaries
    JOIN evaluations USING (job_id)
    WHERE value IS NOT NULL
    GROUP BY weights, strategy, style, metric
)
SELECT
    weights,
    strategy,
    style,
    count(*) AS jobs,
    count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE state = 'partial') AS partial,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    avg(seconds) AS mean_seconds,
    avg(summary_characters)::double precision AS mean_summary_characters,
    avg(compression) AS mean_compression,
    (sum(completion_tokens) / nullif(sum(generation_seconds), 0))::double precision AS tokens_per_second,
    avg(guards)::double precision AS mean_guards,
    coalesce(
        (
            SELECT jsonb_object_agg(measured.metric, measured.mean)
            FROM measured
            WHERE measured.weights = job_summaries.weights
                AND measured.strategy = job_summaries.strategy
                AND measured.style = job_summaries.style
        ),
        '{}'
    ) AS mean_metrics
FROM job_summaries
GROUP BY weights, strategy, style
"""

CHUNK_TEXTS = """
CREATE VIEW chunk_texts AS
SELECT
    chunks.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    chunks.index,
    chunks.start_at,
    chunks.end_at,
    chunks.headings,
    chunks.tokens,
    substr(documents.text, chunks.start_at + 1, chunks.end_at - chunks.start_at) AS text
FROM chunks
JOIN jobs ON jobs.id = chunks.job_id
JOIN batches ON batches.id = jobs.batch_id
JOIN documents ON documents.sha256 = jobs.document_sha256
"""

COMMENTS = {
    "job_summaries": "One row per job: the document, how it was summarized, the summary and what it took.",
    "batch_progress": "One row per batch: its jobs by state, its steps by state and its tokens.",
    "step_timeline": "One row per step: who ran it when, how fast and with how many tries.",
    "weights_comparison": "One row per weights, strategy and style: outcomes, speed, compression and mean metrics.",
    "chunk_texts": "One row per chunk of a job: its span, its headings and its text.",
}


def upgrade() -> None:
    # weights_comparison is made from job_summaries.
    for view in (JOB_SUMMARIES, BATCH_PROGRESS, STEP_TIMELINE, WEIGHTS_COMPARISON, CHUNK_TEXTS):
        op.execute(view)
    for name, comment in COMMENTS.items():
        op.execute(f"COMMENT ON VIEW {name} IS '{comment}'")


def downgrade() -> None:
    for name in ("chunk_texts", "weights_comparison", "step_timeline", "batch_progress", "job_summaries"):
        op.execute(f"DROP VIEW {name}")
