CREATE OR REPLACE VIEW job_summaries AS
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
    measured.metrics,
    jobs.review IS NOT NULL AS needs_review,
    jobs.review,
    measured.consistency,
    jobs.state IN ('succeeded', 'partial') AND work.is_at_work AS is_being_checked,
    jobs.round AS round,
    jobs.verified,
    jobs.quoted,
    jobs.flagged,
    jobs.position,
    jobs.data
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
        -- A cached step took its answer, and the tokens of it, from another step: nothing was generated.
        coalesce(sum(steps.prompt_tokens) FILTER (WHERE steps.cached_from IS NULL), 0) AS prompt_tokens,
        coalesce(sum(steps.completion_tokens) FILTER (WHERE steps.cached_from IS NULL), 0) AS completion_tokens,
        -- Seconds of a check are no part of the making of a summary.
        coalesce(sum(steps.seconds) FILTER (WHERE steps.kind <> 'evaluate'), 0) AS generation_seconds,
        coalesce(sum(greatest(steps.attempt - 1, 0)), 0) AS retries,
        count(steps.cached_from) AS cached_steps,
        coalesce(sum(jsonb_array_length(steps.guards)), 0) AS guards,
        coalesce(bool_or(state IN ('ready', 'running')), false) AS is_at_work
    FROM steps
    WHERE steps.job_id = jobs.id AND steps.id BETWEEN first_step_id(jobs.id) AND last_step_id(jobs.id)
) AS work
CROSS JOIN LATERAL (
    SELECT
        coalesce(jsonb_object_agg(evaluations.metric, evaluations.value), '{}') AS metrics,
        max(evaluations.value) FILTER (WHERE evaluations.metric = 'consistency') AS consistency
    FROM evaluations WHERE evaluations.job_id = jobs.id
) AS measured;

COMMENT ON VIEW job_summaries IS 'One row per job: the document, how it was summarized, the summary and what it took.';
