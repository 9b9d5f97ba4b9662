CREATE OR REPLACE VIEW batch_progress AS
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
    work.cached_steps,
    work.being_checked,
    counted.need_review,
    counted.verified,
    counted.quoted,
    counted.flagged
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
        count(jobs.review) AS need_review,
        coalesce(sum(jobs.verified), 0) AS verified,
        coalesce(sum(jobs.quoted), 0) AS quoted,
        coalesce(sum(jobs.flagged), 0) AS flagged,
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
        -- A cached step took its answer, and the tokens of it, from another step: nothing was generated.
        coalesce(sum(steps.prompt_tokens) FILTER (WHERE steps.cached_from IS NULL), 0) AS prompt_tokens,
        coalesce(sum(steps.completion_tokens) FILTER (WHERE steps.cached_from IS NULL), 0) AS completion_tokens,
        count(steps.cached_from) AS cached_steps,
        count(DISTINCT steps.job_id) FILTER (
            WHERE steps.state IN ('ready', 'running') AND jobs.state IN ('succeeded', 'partial')
        ) AS being_checked
    FROM jobs
    JOIN steps ON steps.job_id = jobs.id AND steps.id BETWEEN first_step_id(jobs.id) AND last_step_id(jobs.id)
    WHERE jobs.batch_id = batches.id
) AS work;

COMMENT ON VIEW batch_progress IS 'One row per batch: its jobs by state, its steps by state and its tokens.';
