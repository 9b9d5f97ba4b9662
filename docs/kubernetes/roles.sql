-- What each part of the cluster may do with the results database. Run by the owner of the tables after every migration:
--
--   gistmill migrate
--   psql "$GISTMILL_DATABASE_URL" --single-transaction --file docs/roles.sql
--
-- with the four passwords in the environment. Running it again changes passwords and grants nothing twice.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
\getenv producer_password GISTMILL_PRODUCER_PASSWORD
\getenv worker_password GISTMILL_WORKER_PASSWORD
\getenv analyst_password GISTMILL_ANALYST_PASSWORD
\getenv deleter_password GISTMILL_DELETER_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', wanted.name)
FROM (VALUES ('gistmill_producer'), ('gistmill_worker'), ('gistmill_analyst'), ('gistmill_deleter')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) \gexec

ALTER ROLE gistmill_producer PASSWORD :'producer_password';
ALTER ROLE gistmill_worker PASSWORD :'worker_password';
ALTER ROLE gistmill_analyst PASSWORD :'analyst_password';
ALTER ROLE gistmill_deleter PASSWORD :'deleter_password';

-- Nobody gets in, makes temporary tables or creates anything unless this page says so.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, gistmill_producer, gistmill_worker, gistmill_analyst,
    gistmill_deleter;
GRANT CONNECT ON DATABASE :"DBNAME" TO gistmill_producer, gistmill_worker, gistmill_analyst, gistmill_deleter;
GRANT USAGE ON SCHEMA public TO gistmill_producer, gistmill_worker, gistmill_analyst, gistmill_deleter;

-- Everybody may execute functions that fill the table of locks, stop a migration, or write large objects until the disk
-- is full; nobody needs them but the migration. Only a superuser can take them away.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
    AND (proname ~ '^pg_.*advisory' OR proname ~ '^lo_' OR proname = 'lowrite')
    AND pg_has_role(proowner, 'USAGE') \gexec
SELECT format('GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO %I', tableowner)
FROM pg_tables
WHERE schemaname = 'public' AND tablename = 'jobs' \gexec

-- Everybody reads everything: views too, which show what their owner sees.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO gistmill_producer, gistmill_worker, gistmill_analyst, gistmill_deleter;

-- Analysts only read. A query that was forgotten ends after five minutes; this and read-only are defaults, which they can
-- change for themselves: what they may not write is a matter of the rights above.
ALTER ROLE gistmill_analyst SET default_transaction_read_only = on;
ALTER ROLE gistmill_analyst SET statement_timeout = '5min';
ALTER ROLE gistmill_analyst CONNECTION LIMIT 20;

-- Producers submit, cancel and retry. They may throw a result away to have it made again, and never write one: each
-- row that they insert or change is without output or summary, and documents are not theirs to change.
GRANT INSERT ON batches, documents, jobs, steps, digest_parts TO gistmill_producer;
GRANT UPDATE (
    state, pending, summary, data, round, verified, quoted, flagged, reason, review, cancel_requested_at, started_at,
    finished_at
) ON jobs TO gistmill_producer;
GRANT UPDATE (
    state, available_at, dispatched_at, dispatches, errors, crashes, is_solo, lease_owner, done_token, identity,
    cached_from, prompt_fingerprint, weights_fingerprint, params, output, output_tokens, prompt_tokens,
    completion_tokens, finish_reason, seconds, worker, guards, sentences, error, started_at, finished_at
) ON steps TO gistmill_producer;
GRANT DELETE ON chunks, steps, sentences, evaluations TO gistmill_producer;
-- Of all metrics they write one: a person's approval of a summary.
GRANT INSERT ON evaluations TO gistmill_producer;

-- `gistmill serve` is a producer too: it keeps uploads, batches of chat requests, webhooks, and keys of requests.
GRANT INSERT ON files, file_parts, chat_batches, webhooks, idempotency_keys TO gistmill_producer;
GRANT UPDATE (bytes) ON files TO gistmill_producer;
GRANT UPDATE (
    status, errors, lines, stored, output_file, error_file, in_progress_at, finalizing_at, cancelling_at, ended_at
) ON chat_batches TO gistmill_producer;
GRANT UPDATE (id, state, attempts, available_at, error, delivered_at) ON webhooks TO gistmill_producer;
GRANT UPDATE (answer, created_at) ON idempotency_keys TO gistmill_producer;
GRANT DELETE ON files, idempotency_keys TO gistmill_producer;
-- The address of a webhook may hold a secret of its receiver.
REVOKE SELECT ON webhooks, idempotency_keys FROM gistmill_worker, gistmill_analyst;

-- Workers plan, run and finish. They change no document and no batch, and delete nothing but the sentences of a summary
-- that a second try replaces. Which weights a name stands for is the owner's to say: nobody else may write to the table.
GRANT INSERT ON chunks, steps, step_attempts, sentences, citations, evaluations, workers, cluster_facts
    TO gistmill_worker;
GRANT DELETE ON sentences TO gistmill_worker;
GRANT UPDATE ON jobs, steps, evaluations, workers, cluster_facts TO gistmill_worker;

-- The table of cached results leads from an identity to the step that last had it.
GRANT INSERT, UPDATE ON cached_results TO gistmill_worker;
-- Steps are split by month. A function of the owner creates the tables of the next months; it can do nothing else.
GRANT EXECUTE ON FUNCTION add_step_partitions TO gistmill_worker;

-- Deletion is a right of its own: `gistmill delete` and the daily `gistmill delete --expired`. The update of one column
-- is the right to lock a row; what goes with a job goes by its foreign keys and triggers. A batch that stays loses its
-- paths, which name files. The function drops the steps of a month that has no job at work.
GRANT EXECUTE ON FUNCTION drop_step_partition TO gistmill_deleter;
GRANT DELETE ON jobs, documents, batches, files, idempotency_keys TO gistmill_deleter;
GRANT UPDATE (options) ON batches TO gistmill_deleter;
GRANT UPDATE (priority) ON jobs TO gistmill_deleter;
GRANT UPDATE (created_at) ON documents TO gistmill_deleter;
GRANT INSERT, UPDATE ON deletions TO gistmill_deleter;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE evaluations ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS all_is_read ON jobs;
DROP POLICY IF EXISTS all_is_read ON steps;
DROP POLICY IF EXISTS all_is_read ON evaluations;
DROP POLICY IF EXISTS deleters_delete ON jobs;
DROP POLICY IF EXISTS deleters_lock ON jobs;
DROP POLICY IF EXISTS workers_write ON jobs;
DROP POLICY IF EXISTS workers_write ON steps;
DROP POLICY IF EXISTS workers_write ON evaluations;
DROP POLICY IF EXISTS producers_write_no_result ON jobs;
DROP POLICY IF EXISTS producers_write_no_result ON steps;
DROP POLICY IF EXISTS producers_delete ON evaluations;
DROP POLICY IF EXISTS producers_approve ON evaluations;
CREATE POLICY all_is_read ON jobs FOR SELECT USING (true);
CREATE POLICY all_is_read ON steps FOR SELECT USING (true);
CREATE POLICY all_is_read ON evaluations FOR SELECT USING (true);
CREATE POLICY workers_write ON jobs TO gistmill_worker USING (true);
CREATE POLICY workers_write ON steps TO gistmill_worker USING (true);
CREATE POLICY workers_write ON evaluations TO gistmill_worker USING (true);
CREATE POLICY deleters_delete ON jobs FOR DELETE TO gistmill_deleter USING (true);
CREATE POLICY deleters_lock ON jobs FOR UPDATE TO gistmill_deleter USING (true) WITH CHECK (false);
CREATE POLICY producers_delete ON evaluations FOR DELETE TO gistmill_producer USING (true);
CREATE POLICY producers_approve ON evaluations FOR INSERT TO gistmill_producer WITH CHECK (metric = 'approved');
-- A chat request that is refused is a job that has failed.
CREATE POLICY producers_write_no_result ON jobs TO gistmill_producer USING (true)
    WITH CHECK (
        summary IS NULL
        AND num_nonnulls(verified, quoted, flagged) = 0
        AND state IN ('queued', 'running', 'cancelled', 'failed')
    );
CREATE POLICY producers_write_no_result ON steps TO gistmill_producer USING (true)
    WITH CHECK (output IS NULL AND sentences = '[]' AND state IN ('ready', 'cancelled'));
