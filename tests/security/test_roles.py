"""A stolen password of one role does what docs/roles.sql allows and no more."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from models.deletion import DeletionRequest, may_delete
from models.recovery import try_reclaim_lock
from models.session import connect
from models.tables import Batch, DeletionKind
from producer.deletion import delete_requested
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.jobs import add_jobs
from tests.processes import PATIENCE, run_server
from tests.roles import apply_roles

DENIED = re.compile("permission denied|must be owner|violates row-level security")


@pytest.fixture
def roles(cluster: Cluster) -> dict[str, str]:
    """The database's address for each role, with one submitted job in it."""
    add_jobs(cluster.engine, ["A text to summarize."])
    return apply_roles(cluster.database_url)


@pytest.fixture
def engines(roles: dict[str, str]) -> Iterator[dict[str, Engine]]:
    """One connection pool per role."""
    engines = {name: connect(url, pool_size=1) for name, url in roles.items()}
    yield engines
    for engine in engines.values():
        engine.dispose()


def run(engine: Engine, statement: str) -> int:
    """Run one statement and return how many rows it touched."""
    with engine.begin() as connection:
        return connection.execute(text(statement)).rowcount


STOLEN_FROM_PRODUCER = (
    "UPDATE steps SET output = 'forged', state = 'done'",
    "UPDATE jobs SET summary = 'forged', state = 'succeeded', finished_at = now()",
    "UPDATE steps SET state = 'done'",
    "UPDATE steps SET inputs = '[]'",
    "UPDATE steps SET queue = 'mine'",
    "UPDATE jobs SET plan = '{}'",
    "UPDATE documents SET text = 'another text'",
    "UPDATE evaluations SET value = 1",
    "UPDATE jobs SET verified = 1",
    "UPDATE sentences SET kind = 'verified'",
    "INSERT INTO sentences (job_id, index, start_at, end_at, kind) SELECT id, 0, 0, 1, 'verified' FROM jobs",
    "INSERT INTO evaluations (job_id, metric, value) SELECT id, 'rouge1', 1 FROM jobs",
    "UPDATE workers SET weights = 'forged'",
    "DELETE FROM jobs",
    "DELETE FROM documents",
    "ALTER TABLE steps DISABLE ROW LEVEL SECURITY",
    "TRUNCATE step_attempts",
    "DROP TABLE steps",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "ALTER TABLE jobs ADD COLUMN mine int",
    "COPY documents TO PROGRAM 'id'",
    "SELECT pg_read_file('/etc/passwd')",
)
STOLEN_FROM_WORKER = (
    "DROP TABLE steps",
    "DROP VIEW job_summaries",
    "ALTER TABLE steps DROP CONSTRAINT ck_steps_output_when_done",
    "TRUNCATE jobs CASCADE",
    "DELETE FROM steps",
    "DELETE FROM documents",
    "UPDATE documents SET text = 'another text'",
    "UPDATE batches SET name = 'another name'",
    "INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'mine', '{}')",
    "INSERT INTO documents (sha256, format, text) VALUES (repeat('a', 64), 'text', 'mine')",
    "UPDATE weights SET location = '/tmp/evil'",
    "UPDATE sentences SET kind = 'verified'",
    "DELETE FROM citations",
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine SUPERUSER",
    "ALTER ROLE gistmill_worker SUPERUSER",
    "COPY documents TO PROGRAM 'id'",
)
STOLEN_FROM_ANALYST = (
    "UPDATE jobs SET cancel_requested_at = now()",
    "INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'mine', '{}')",
    "DELETE FROM jobs",
    "DROP VIEW job_summaries",
    "CREATE TABLE mine (id int)",
    "SELECT pg_advisory_lock(7114003)",
    "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
    "SELECT lo_from_bytea(0, 'much')",
    "SELECT lo_create(0)",
    "SELECT * FROM cluster_facts FOR UPDATE",
    "SELECT * FROM cluster_facts FOR KEY SHARE",
)
STOLEN_FROM_DELETER = (
    "UPDATE jobs SET priority = 0",
    "UPDATE jobs SET summary = 'forged', state = 'succeeded', finished_at = now()",
    "UPDATE documents SET text = 'another text'",
    "UPDATE steps SET output = 'forged', state = 'done'",
    "INSERT INTO batches (id, name, options) VALUES (gen_random_uuid(), 'mine', '{}')",
    "INSERT INTO documents (sha256, format, text) VALUES (repeat('a', 64), 'text', 'mine')",
    "DELETE FROM weights",
    "DELETE FROM workers",
    "DELETE FROM deletions",
    "TRUNCATE jobs CASCADE",
    "DROP TABLE steps",
    "CREATE TABLE mine (id int)",
)


def find_allowed(engine: Engine, statements: Sequence[str]) -> list[str]:
    """Return the statements that went through, or failed for another reason than a missing right."""
    return [statement for statement in statements if not is_denied(engine, statement)]


def is_denied(engine: Engine, statement: str) -> bool:
    """Tell whether the role has no right to run a statement; what it did is taken back."""
    with engine.connect() as connection:
        try:
            connection.execute(text(statement))
        except ProgrammingError as error:
            return bool(DENIED.search(str(error.orig)))
        return False


def test_a_producer_cannot_forge_results_or_destroy_anything(engines: dict[str, Engine]) -> None:
    assert find_allowed(engines["producer"], STOLEN_FROM_PRODUCER) == []


def test_a_worker_cannot_change_what_was_submitted_or_drop_anything(engines: dict[str, Engine]) -> None:
    assert find_allowed(engines["worker"], STOLEN_FROM_WORKER) == []


def test_an_analyst_who_switches_read_only_off_has_no_right_to_write_either(engines: dict[str, Engine]) -> None:
    writable = engines["analyst"].execution_options(postgresql_readonly=False)
    assert find_allowed(writable, STOLEN_FROM_ANALYST) == []


def test_a_deleter_deletes_and_does_nothing_else(cluster: Cluster, engines: dict[str, Engine]) -> None:
    assert find_allowed(engines["deleter"], STOLEN_FROM_DELETER) == []
    for name in ("producer", "worker", "analyst"):
        with Session(engines[name]) as session:
            assert not may_delete(session)
    with Session(engines["deleter"]) as session:
        batch = session.scalars(select(Batch.id)).one()

    record = delete_requested(engines["deleter"], DeletionRequest(DeletionKind.BATCH, str(batch)))

    assert (record.jobs, record.documents) == (1, 1)
    assert run(cluster.engine, "SELECT * FROM jobs") == run(cluster.engine, "SELECT * FROM batches") == 0
    assert run(cluster.engine, "SELECT * FROM deletions WHERE database_role = 'gistmill_deleter'") == 1


def test_an_analyst_only_reads_by_default(engines: dict[str, Engine]) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        run(engines["analyst"], "CREATE TEMPORARY TABLE mine (id int)")


def test_the_rescue_goes_on_whatever_anybody_else_locks(cluster: Cluster, engines: dict[str, Engine]) -> None:
    with cluster.engine.begin() as other, Session(engines["worker"]) as session:
        other.execute(text("SELECT pg_advisory_lock_shared(key) FROM generate_series(7114000, 7114010) AS key"))
        assert try_reclaim_lock(session)


def test_one_rescue_runs_at_a_time(cluster: Cluster) -> None:
    with Session(cluster.engine) as first, Session(cluster.engine) as second:
        assert try_reclaim_lock(first)
        first.commit()
        assert [try_reclaim_lock(session) for session in (first, second)] == [True, False]
        first.rollback()
        assert try_reclaim_lock(second)


def test_every_role_reads_tables_and_views(engines: dict[str, Engine]) -> None:
    for engine in engines.values():
        assert run(engine, "SELECT * FROM job_summaries") == 1
        assert run(engine, "SELECT * FROM steps") == 1


@pytest.mark.parametrize("name", ["worker", "producer"])
def test_the_citations_of_a_replaced_summary_go_with_its_sentences(
    name: str, cluster: Cluster, engines: dict[str, Engine]
) -> None:
    for statement in (
        "INSERT INTO sentences (job_id, index, start_at, end_at, kind) SELECT id, 0, 0, 1, 'verified' FROM jobs",
        "INSERT INTO citations (job_id, sentence, index, start_at, end_at) SELECT id, 0, 0, 0, 1 FROM jobs",
    ):
        run(engines["worker"], statement)

    assert run(engines[name], "DELETE FROM sentences") == 1
    assert run(cluster.engine, "SELECT * FROM citations") == 0


def test_applying_the_roles_again_changes_nothing(cluster: Cluster, roles: dict[str, str]) -> None:
    assert apply_roles(cluster.database_url) == roles


def test_a_wrong_password_is_refused(roles: dict[str, str]) -> None:
    engine = connect(roles["worker"].replace("worker-secret", "guessed"), pool_size=1)
    with pytest.raises(DBAPIError, match="password authentication failed"):
        run(engine, "SELECT 1")


def test_producer_and_worker_do_their_whole_work_with_their_own_roles(
    cluster: Cluster, roles: dict[str, str], tmp_path: Path
) -> None:
    article = tmp_path / "article.md"
    # Too long to be its own summary; what is generated stays as it is, so that it fails the gate.
    article.write_text("# Pumps\n\n" + "The pump stopped on Monday. It started again on Tuesday.\n" * 20)
    worker, producer = (
        {"database_url": roles[name], "broker_url": cluster.broker_url} for name in ("worker", "producer")
    )
    submit = ["submit", str(article), "--batch", "mine", "--gate", "0.95", "--grounding", "off"]
    for words in (submit, ["cancel", "mine"], ["retry", "mine"]):
        subprocess.run(describe_command("-m", "gistmill", *words, **producer), check=True, timeout=PATIENCE)
    with run_server(describe_command("-m", "tests.fake_worker", **worker), tmp_path / "worker.log"):
        wait_until(lambda: run(cluster.engine, "SELECT * FROM jobs WHERE state = 'succeeded'") == 2, "both jobs end")
        reviewed = "SELECT * FROM jobs WHERE review LIKE '%in a second try%'"
        wait_until(lambda: run(cluster.engine, reviewed) == 1, "its check and its second try end")
    for words in (["approve", "mine"], ["approve", "mine", "--revoke"]):
        subprocess.run(describe_command("-m", "gistmill", *words, **producer), check=True, timeout=PATIENCE)
    assert run(cluster.engine, "SELECT * FROM step_attempts WHERE outcome = 'error'") == 0
