CREATE OR REPLACE VIEW summary_sentences AS
SELECT
    sentences.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    sentences.index,
    sentences.start_at,
    sentences.end_at,
    substr(jobs.summary, sentences.start_at + 1, sentences.end_at - sentences.start_at) AS text,
    sentences.kind,
    sentences.score,
    sentences.reason,
    cited.citations
FROM sentences
JOIN jobs ON jobs.id = sentences.job_id
JOIN batches ON batches.id = jobs.batch_id
JOIN documents ON documents.sha256 = jobs.document_sha256
CROSS JOIN LATERAL (
    SELECT
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'start', citations.start_at,
                    'end', citations.end_at,
                    'text', substr(documents.text, citations.start_at + 1, citations.end_at - citations.start_at),
                    'headings', coalesce(CASE WHEN jobs.headings IS NULL THEN around.headings ELSE above.headings END, '[]')
                )
                ORDER BY citations.index
            ),
            '[]'
        ) AS citations
    FROM citations
    LEFT JOIN LATERAL (
        SELECT heading -> 1 AS headings
        FROM jsonb_array_elements(jobs.headings) AS heading
        WHERE (heading ->> 0)::integer <= citations.start_at
        ORDER BY (heading ->> 0)::integer DESC
        LIMIT 1
    ) AS above ON true
    -- A job that was planned before headings were stored has those of its chunks. Neighbours may overlap: the later one
    -- has the nearer headings.
    LEFT JOIN LATERAL (
        SELECT chunks.headings
        FROM chunks
        WHERE chunks.job_id = citations.job_id
            AND chunks.start_at <= citations.start_at
            AND chunks.end_at > citations.start_at
        ORDER BY chunks.index DESC
        LIMIT 1
    ) AS around ON true
    WHERE citations.job_id = sentences.job_id AND citations.sentence = sentences.index
) AS cited;

COMMENT ON VIEW summary_sentences IS 'One row per sentence of a summary: its text, its verdict and the passages that bear it out.';
