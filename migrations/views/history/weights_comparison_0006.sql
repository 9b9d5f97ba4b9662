CREATE OR REPLACE VIEW weights_comparison AS
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
    ) AS mean_metrics,
    count(*) FILTER (WHERE needs_review) AS need_review,
    -- Mean shares of the sentences of a summary.
    avg(verified::double precision / (verified + quoted + flagged)) AS mean_verified,
    avg(quoted::double precision / (verified + quoted + flagged)) AS mean_quoted,
    avg(flagged::double precision / (verified + quoted + flagged)) AS mean_flagged
FROM job_summaries
GROUP BY weights, strategy, style;

COMMENT ON VIEW weights_comparison IS 'One row per weights, strategy and style: outcomes, speed, compression, mean metrics and shares of sentences.';
