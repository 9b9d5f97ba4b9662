"""SQL that splits the tables of steps into partitions, and the functions and triggers that keep them.

Partitions are created and dropped by functions that run as the owner of the tables: a worker's role may add one, the
role of deletion may drop one, and neither may do anything else to a table.
"""

from __future__ import annotations

from alembic import op

# Ids of steps from here on are random, as all were before; those below begin with the month of their job.
FIRST_RANDOM = "00000000-1000-0000-0000-000000000000"

SPLIT_TABLES = """
ALTER TABLE steps DROP CONSTRAINT fk_steps_job_id_jobs;
ALTER TABLE step_attempts DROP CONSTRAINT fk_step_attempts_step_id_steps;

ALTER TABLE steps RENAME TO steps_old;
ALTER INDEX pk_steps RENAME TO pk_steps_old;
ALTER INDEX ix_steps_ready RENAME TO ix_steps_old_ready;
ALTER INDEX ix_steps_ready_queue RENAME TO ix_steps_old_ready_queue;
ALTER INDEX ix_steps_lease_until RENAME TO ix_steps_old_lease_until;
ALTER INDEX ix_steps_lease_owner RENAME TO ix_steps_old_lease_owner;
ALTER TABLE step_attempts RENAME TO step_attempts_old;
ALTER INDEX pk_step_attempts RENAME TO pk_step_attempts_old;

CREATE TABLE steps (LIKE steps_old INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (id);
ALTER TABLE steps DROP CONSTRAINT IF EXISTS is_random;
ALTER TABLE steps ADD CONSTRAINT pk_steps PRIMARY KEY (id);
CREATE INDEX ix_steps_job_id ON steps (job_id, id);
CREATE INDEX ix_steps_ready ON steps (dispatched_at) WHERE state = 'ready';
CREATE INDEX ix_steps_ready_queue ON steps (queue, priority, dispatched_at) WHERE state = 'ready';
CREATE INDEX ix_steps_lease_until ON steps (lease_until) WHERE state = 'running';
CREATE INDEX ix_steps_lease_owner ON steps (lease_owner) WHERE state = 'running';
CREATE TABLE step_attempts (LIKE step_attempts_old INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (step_id);
ALTER TABLE step_attempts DROP CONSTRAINT IF EXISTS is_random;
ALTER TABLE step_attempts ADD CONSTRAINT pk_step_attempts PRIMARY KEY (step_id, attempt);

CREATE TABLE steps_default (LIKE steps INCLUDING ALL);
ALTER TABLE steps ATTACH PARTITION steps_default DEFAULT;
CREATE TABLE step_attempts_default (LIKE step_attempts INCLUDING ALL);
ALTER TABLE step_attempts ATTACH PARTITION step_attempts_default DEFAULT;
INSERT INTO steps_default SELECT * FROM steps_old WHERE id < '00000000-1000-0000-0000-000000000000';
INSERT INTO step_attempts_default
SELECT * FROM step_attempts_old WHERE step_id < '00000000-1000-0000-0000-000000000000';
DELETE FROM steps_old WHERE id < '00000000-1000-0000-0000-000000000000';
DELETE FROM step_attempts_old WHERE step_id < '00000000-1000-0000-0000-000000000000';

-- With the valid constraint Postgres reads no row to attach the old tables; the partition's bound then replaces it.
ALTER TABLE steps ATTACH PARTITION steps_old FOR VALUES FROM ('00000000-1000-0000-0000-000000000000') TO (MAXVALUE);
ALTER TABLE step_attempts ATTACH PARTITION step_attempts_old
    FOR VALUES FROM ('00000000-1000-0000-0000-000000000000') TO (MAXVALUE);
ALTER TABLE steps_old DROP CONSTRAINT IF EXISTS is_random;
ALTER TABLE step_attempts_old DROP CONSTRAINT IF EXISTS is_random;
"""

JOIN_TABLES = """
DROP TRIGGER delete_steps ON jobs;
DROP TRIGGER delete_attempts ON steps;
ALTER TABLE steps DETACH PARTITION steps_old;
ALTER TABLE step_attempts DETACH PARTITION step_attempts_old;
INSERT INTO steps_old SELECT * FROM steps;
INSERT INTO step_attempts_old SELECT * FROM step_attempts;

DROP INDEX ix_steps_old_job_id;
ALTER TABLE steps RENAME TO steps_split;
ALTER INDEX ix_steps_job_id RENAME TO ix_steps_split_job_id;
ALTER INDEX pk_steps RENAME TO pk_steps_split;
ALTER INDEX ix_steps_ready RENAME TO ix_steps_split_ready;
ALTER INDEX ix_steps_ready_queue RENAME TO ix_steps_split_ready_queue;
ALTER INDEX ix_steps_lease_until RENAME TO ix_steps_split_lease_until;
ALTER INDEX ix_steps_lease_owner RENAME TO ix_steps_split_lease_owner;
ALTER TABLE step_attempts RENAME TO step_attempts_split;
ALTER INDEX pk_step_attempts RENAME TO pk_step_attempts_split;

ALTER TABLE steps_old RENAME TO steps;
ALTER INDEX pk_steps_old RENAME TO pk_steps;
ALTER INDEX ix_steps_old_ready RENAME TO ix_steps_ready;
ALTER INDEX ix_steps_old_ready_queue RENAME TO ix_steps_ready_queue;
ALTER INDEX ix_steps_old_lease_until RENAME TO ix_steps_lease_until;
ALTER INDEX ix_steps_old_lease_owner RENAME TO ix_steps_lease_owner;
ALTER TABLE step_attempts_old RENAME TO step_attempts;
ALTER INDEX pk_step_attempts_old RENAME TO pk_step_attempts;

ALTER TABLE steps ADD CONSTRAINT fk_steps_job_id_jobs
    FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE;
ALTER TABLE step_attempts ADD CONSTRAINT fk_step_attempts_step_id_steps
    FOREIGN KEY (step_id) REFERENCES steps (id) ON DELETE CASCADE;
"""

# A new table has no rights: workers that run under roles of their own go on beside the migration.
COPY_RIGHTS = """
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT entry.grantee, entry.privilege_type, NULL AS column_name
        FROM pg_class, aclexplode(relacl) AS entry
        WHERE oid = '{old}'::regclass AND entry.grantee <> relowner
        UNION ALL
        SELECT entry.grantee, entry.privilege_type, attname
        FROM pg_attribute, aclexplode(attacl) AS entry
        WHERE attrelid = '{old}'::regclass
    LOOP
        EXECUTE format(
            'GRANT %s %s ON {new} TO %s',
            given.privilege_type,
            CASE WHEN given.column_name IS NOT NULL THEN format('(%I)', given.column_name) END,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END
        );
    END LOOP;
    FOR given IN SELECT * FROM pg_policies WHERE schemaname = 'public' AND tablename = '{old}'
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON {new}', given.policyname);
        EXECUTE format(
            'CREATE POLICY %I ON {new} FOR %s TO %s %s %s',
            given.policyname,
            given.cmd,
            (SELECT string_agg(CASE name WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(name) END, ', ')
             FROM unnest(given.roles) AS name),
            'USING (' || given.qual || ')',
            'WITH CHECK (' || given.with_check || ')'
        );
    END LOOP;
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = '{old}'::regclass) THEN
        ALTER TABLE {new} ENABLE ROW LEVEL SECURITY;
    END IF;
END
$$
"""

CREATE_FUNCTIONS = """
CREATE FUNCTION first_step_id(job_id uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE substr(job_id::text, 15, 1)
    WHEN '8' THEN ('00000000-0' || substr(job_id::text, 16, 3) || '-0000-0000-000000000000')::uuid
    ELSE '00000000-1000-0000-0000-000000000000'::uuid
END;
COMMENT ON FUNCTION first_step_id IS 'Lowest id that a step of a job may have.';

CREATE FUNCTION last_step_id(job_id uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE substr(job_id::text, 15, 1)
    WHEN '8' THEN ('00000000-0' || substr(job_id::text, 16, 3) || '-ffff-ffff-ffffffffffff')::uuid
    ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
END;
COMMENT ON FUNCTION last_step_id IS 'Highest id that a step of a job may have.';

CREATE FUNCTION delete_steps_of_job() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM steps
    WHERE job_id = OLD.id AND id BETWEEN first_step_id(OLD.id) AND last_step_id(OLD.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER delete_steps AFTER DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION delete_steps_of_job();

CREATE FUNCTION delete_attempts_of_step() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM step_attempts WHERE step_id = OLD.id;
    IF OLD.identity IS NOT NULL THEN
        DELETE FROM cached_results WHERE identity = OLD.identity AND step_id = OLD.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER delete_attempts AFTER DELETE ON steps FOR EACH ROW EXECUTE FUNCTION delete_attempts_of_step();

CREATE FUNCTION month_of_step(step_id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || substr(step_id::text, 11, 3))::bit(12)::integer;

CREATE FUNCTION step_partition_suffix(month integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (1970 + month / 12)::text || '_' || lpad((month % 12 + 1)::text, 2, '0');

CREATE FUNCTION add_step_partitions() RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    today timestamp := now() AT TIME ZONE 'UTC';
    this_month integer := (extract(year FROM today)::integer - 1970) * 12 + extract(month FROM today)::integer - 1;
    month integer;
    suffix text;
    low uuid;
    high uuid;
    added integer := 0;
BEGIN
    FOR month IN
        SELECT generate_series(this_month, this_month + 2)
        UNION
        SELECT month_of_step(id) FROM steps_default
    LOOP
        suffix := step_partition_suffix(month);
        CONTINUE WHEN to_regclass('steps_' || suffix) IS NOT NULL;
        low := ('00000000-' || lpad(to_hex(month), 4, '0') || '-0000-0000-000000000000')::uuid;
        high := ('00000000-' || lpad(to_hex(month + 1), 4, '0') || '-0000-0000-000000000000')::uuid;
        -- Two processes that find the same month missing: the second one waits here, and finds it.
        LOCK TABLE steps_default, step_attempts_default IN ACCESS EXCLUSIVE MODE;
        CONTINUE WHEN to_regclass('steps_' || suffix) IS NOT NULL;
        EXECUTE format('CREATE TABLE steps_%s (LIKE steps INCLUDING ALL)', suffix);
        EXECUTE format('CREATE TABLE step_attempts_%s (LIKE step_attempts INCLUDING ALL)', suffix);
        EXECUTE format('INSERT INTO steps_%s SELECT * FROM steps_default WHERE id >= $1 AND id < $2', suffix)
        USING low, high;
        EXECUTE format(
            'INSERT INTO step_attempts_%s SELECT * FROM step_attempts_default WHERE step_id >= $1 AND step_id < $2',
            suffix
        ) USING low, high;
        -- The attempts in the default partition go by the trigger.
        DELETE FROM steps_default WHERE id >= low AND id < high;
        EXECUTE format('ALTER TABLE steps ATTACH PARTITION steps_%s FOR VALUES FROM (%L) TO (%L)', suffix, low, high);
        EXECUTE format(
            'ALTER TABLE step_attempts ATTACH PARTITION step_attempts_%s FOR VALUES FROM (%L) TO (%L)',
            suffix, low, high
        );
        added := added + 1;
    END LOOP;
    RETURN added;
EXCEPTION
    -- A long query reads the tables: the next call tries again.
    WHEN lock_not_available OR deadlock_detected THEN RETURN 0;
END
$$;
COMMENT ON FUNCTION add_step_partitions IS
    'Creates the partitions of this month and the next two, and of the months in the default partition.';

CREATE FUNCTION drop_step_partition(month integer, checked_at timestamptz) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    suffix text := step_partition_suffix(month);
    low uuid := ('00000000-' || lpad(to_hex(month), 4, '0') || '-0000-0000-000000000000')::uuid;
    high uuid := ('00000000-' || lpad(to_hex(month), 4, '0') || '-ffff-ffff-ffffffffffff')::uuid;
BEGIN
    DELETE FROM cached_results WHERE step_id BETWEEN low AND high;
    -- From the parents downwards, as every statement locks them.
    LOCK TABLE ONLY steps, ONLY step_attempts IN ACCESS EXCLUSIVE MODE;
    -- A retry or a check may have begun since the caller looked, and may even have ended.
    IF EXISTS (SELECT FROM steps WHERE state = 'ready' AND id BETWEEN low AND high)
        OR EXISTS (SELECT FROM steps WHERE state = 'running' AND id BETWEEN low AND high)
        OR EXISTS (SELECT FROM jobs WHERE state IN ('queued', 'running') AND first_step_id(id) = low)
        OR EXISTS (SELECT FROM jobs WHERE finished_at >= checked_at AND first_step_id(id) = low)
    THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE steps_%s, step_attempts_%s', suffix, suffix);
    RETURN true;
EXCEPTION
    WHEN lock_not_available OR deadlock_detected OR undefined_table THEN RETURN false;
END
$$;
COMMENT ON FUNCTION drop_step_partition IS
    'Drops the steps of a month, unless one of its jobs is open, is being checked or has ended since a moment.';

REVOKE EXECUTE ON FUNCTION add_step_partitions, drop_step_partition FROM PUBLIC;
"""

DROP_FUNCTIONS = """
DROP TABLE steps_split, step_attempts_split, cached_results;
DROP FUNCTION drop_step_partition, add_step_partitions, step_partition_suffix, month_of_step, delete_attempts_of_step,
    delete_steps_of_job, last_step_id, first_step_id;
"""


def run_script(script: str) -> None:
    """Run several statements in one round trip."""
    # Without parameters it is sent unparsed, with its colons and percent signs.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})
