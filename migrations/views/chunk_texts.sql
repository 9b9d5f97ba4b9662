CREATE OR REPLACE VIEW chunk_texts AS
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
JOIN documents ON documents.sha256 = jobs.document_sha256;

COMMENT ON VIEW chunk_texts IS 'One row per chunk of a job: its span, its headings and its text.';
