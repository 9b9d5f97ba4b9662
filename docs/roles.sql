-- What each part of the cluster may do with the results database. Run by the owner of the tables after every migration:
--
--   gistmill migrate
--   psql "$GISTMILL_DATABASE_URL" --single-transaction --file docs/roles.sql
--
-- with the three passwords in the environment. Running it again changes passwords and grants nothing twice.
\set ON_ERROR_STOP on
\getenv producer_password GISTMILL_PRODUCER_PASSWORD
\getenv worker_password GISTMILL_WORKER_PASSWORD
\getenv analyst_password GISTMILL_ANALYST_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', wanted.name)
FROM (VALUES ('gistmill_producer'), ('gistmill_worker'), ('gistmill_analyst')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) \gexec

ALTER ROLE gistmill_producer PASSWORD :'producer_password';
ALTER ROLE gistmill_worker PASSWORD :'worker_password';
ALTER ROLE gistmill_analyst PASSWORD :'analyst_password';

-- Nobody gets in, makes temporary tables or creates anything unless this page says so.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, gistmill_producer, gistmill_worker, gistmill_analyst;
GRANT CONNECT ON DATABASE :"DBNAME" TO gistmill_producer, gistmill_worker, gistmill_analyst;
GRANT USAGE ON SCHEMA public TO gistmill_producer, gistmill_worker, gistmill_analyst;

-- Everybody reads everything: views too, which show what their owner sees.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO gistmill_producer, gistmill_worker, gistmill_analyst;

-- Analysts only read, and no query of theirs holds the cluster up for longer than five minutes.
ALTER ROLE gistmill_analyst SET default_transaction_read_only = on;
ALTER ROLE gistmill_analyst SET statement_timeout = '5min';
ALTER ROLE gistmill_analyst CONNECTION LIMIT 20;

-- Producers submit, cancel and retry. They write no output, no plan and no summary: those columns are not theirs.
GRANT INSERT ON batches, documents TO gistmill_producer;
GRANT INSERT (id, batch_id, identity, document_sha256, source, options, weights, priority, state, pending)
    ON jobs TO gistmill_producer;
GRANT INSERT (
    id, job_id, kind, level, index, inputs, state, queue, priority, dispatched_at, dispatches, attempt, errors,
    crashes, is_solo
) ON steps TO gistmill_producer;
GRANT UPDATE (state, pending, reason, cancel_requested_at, started_at, finished_at) ON jobs TO gistmill_producer;
GRANT UPDATE (state, available_at, dispatched_at, dispatches, errors, crashes, is_solo, error, finished_at)
    ON steps TO gistmill_producer;

-- Workers plan, run and finish. They change no document and no batch, and delete nothing.
GRANT INSERT ON chunks, steps, step_attempts, evaluations, workers, cluster_facts TO gistmill_worker;
GRANT UPDATE ON jobs, steps, evaluations, workers, cluster_facts TO gistmill_worker;
