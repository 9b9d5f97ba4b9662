CREATE OR REPLACE VIEW step_timeline AS
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
JOIN batches ON batches.id = jobs.batch_id;

COMMENT ON VIEW step_timeline IS 'One row per step: who ran it when, how fast and with how many tries.';
