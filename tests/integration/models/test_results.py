"""The statements that claim and finish steps: their plans, how many threads use them, and steps that end together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import claims, outbox, results, step_updates
from models.claims import Claim
from models.job import Job
from models.lock_wait import GROUP_WAIT
from models.outbox import NewStep
from models.results import StepResult
from models.step import Step, StepAttempt
from tests.conftest import Cluster
from tests.hand_driven import lose_lease
from tests.jobs import add_jobs, claim_step
from tests.processes import PATIENCE

# What SQLAlchemy fills while it builds a statement is filled by one thread, or another may see it half full.
BUILD = """
from sqlalchemy.sql.base import WriteableColumnCollection
from tests.processes import PATIENCE
from models import claims, results

def fill(self):
    raise AssertionError("an index of columns is filled late")

WriteableColumnCollection._init_proxy_index = fill
for statement in (claims._CLAIM, results._FINISH, results._FINISH_SIBLINGS, results.CACHED):
    print(len(str(statement.compile())) > 100)
"""
VALUES = {
    "step_ids": [uuid4(), uuid4()],
    "tokens": [uuid4(), uuid4()],
    "endings": [json.dumps({name: str(uuid4()) for name in ("job_id", "step_id", "token")})],
    "worker": "w1",
    "lease_length": timedelta(seconds=60),
    "lock_wait": "200ms",
}
# So many that a partial index of running steps is no shortcut.
FILL = """
INSERT INTO steps (id, job_id, kind, level, index, state, queue, priority, lease_token, lease_until)
SELECT gen_random_uuid(), id, 'map', 0, place, 'running', 'map.default', 3, gen_random_uuid(), now()
FROM jobs, generate_series(1, 2000) AS place
"""

# Keeps Postgres from gathering statistics.
FORGET = "ALTER TABLE {} SET (autovacuum_enabled = false)"
# Jobs that have ended, with their steps.
FILL_JOBS = """
INSERT INTO jobs (id, batch_id, identity, document_sha256, source, options, weights, priority, state, pending,
    summary, finished_at)
SELECT gen_random_uuid(), batch_id, place::text, document_sha256, 'text', options, weights, priority, 'succeeded', 0,
    'A text.', now()
FROM jobs, generate_series(1, 1000) AS place
"""
FILL_STEPS = """
INSERT INTO steps (id, job_id, kind, level, index, state, queue, priority, output, finished_at)
SELECT gen_random_uuid(), id, 'map', 0, place, 'done', 'map.default', 3, 'text', now()
FROM jobs, generate_series(1, 10) AS place WHERE jobs.state = 'succeeded'
"""

PLANNED = "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE '%UPDATE steps%'"


def test_nothing_that_threads_share_is_filled_while_they_build_a_statement() -> None:
    built = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (built.returncode, built.stdout, built.stderr) == (0, "True\n" * 4, "")


@pytest.mark.parametrize("statement", [claims.CLAIM, results.FINISH, results.FINISH_SIBLINGS])
def test_a_statement_of_a_step_reads_every_table_by_an_index(cluster: Cluster, statement: str) -> None:
    add_jobs(cluster.engine, ["A text."])
    with cluster.engine.begin() as connection:
        connection.execute(text(FILL))
        connection.execute(text("ANALYZE"))
        # The other tables are so small that reading all of one is cheaper wherever that is possible at all.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {statement}"), VALUES))
    # Random ids have a partition of their own, and its constraints the names that it came with.
    assert "Index Scan using pk_steps_old on steps_old" in plan
    assert "Index Scan using pk_jobs on jobs" in plan
    assert not re.findall(r"Seq Scan on (?:steps|jobs|chunks|documents)", plan)


@pytest.mark.parametrize("statement", [claims.CLAIM, results.FINISH, results.FINISH_SIBLINGS])
def test_a_statement_of_a_step_reads_its_rows_alone_before_postgres_has_statistics(
    cluster: Cluster, statement: str
) -> None:
    [job], [step_message] = add_jobs(cluster.engine, ["A text."], is_old=True)
    with cluster.engine.begin() as connection:
        for table in ("jobs", "steps_old"):
            connection.execute(text(FORGET.format(table)))
        connection.execute(text(FILL_JOBS))
        connection.execute(text(FILL_STEPS))
    ending = {"job_id": job, "step_id": step_message.step_id, "token": uuid4(), "place": 0}
    values = VALUES | {
        "step_ids": [step_message.step_id],
        "tokens": [uuid4()],
        "endings": [json.dumps(ending, default=str)],
    }
    with cluster.engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_stats WHERE tablename IN ('jobs', 'steps_old')")) == 0
        plan = "\n".join(connection.scalars(text(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}"), values))
    read = [float(rows) * int(loops) for rows, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan)]
    removed = [int(rows) for rows in re.findall(r"Rows Removed by [\w ]*Filter: (\d+)", plan)]
    assert max(read + removed) == 1, plan


def test_postgres_keeps_one_plan_for_claims_and_ends_of_any_number(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["A text."])
    with cluster.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for number in range(1, 15):
            found = claims.claim_steps(
                connection, {uuid4(): uuid4() for _ in range(number)}, worker="w", lease_seconds=60
            )
            assert not found
        [taken] = claims.claim_steps(
            connection, {uuid4(): step_messages[0].step_id}, worker="w", lease_seconds=60
        ).values()
        for number in range(1, 15):
            late = [(replace(taken, token=uuid4()), StepResult(output="late"))] * number
            assert not results.end_siblings(connection, late, worker="w")
        planned = connection.scalars(text(PLANNED)).all()
    # The first five runs of a prepared statement are planned for their values, to learn what that is worth.
    assert planned == [5, 5]


def test_the_job_of_a_finished_step_is_read_with_every_column(cluster: Cluster) -> None:
    [job_id], [step_message] = add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, session.begin():
        claim = claim_step(session.connection(), step_message.step_id)
        assert claim is not None
        session.execute(
            text("UPDATE jobs SET reason = 'a reason', strategy = 'stuff', plan = '{\"reason\": \"short\"}'")
        )
        job = results.end_step(session, claim, StepResult(output="text"), worker="w1")
        assert job is not None
        read = {column.name: getattr(job, column.name) for column in Job.__table__.c}
        assert read == dict(session.execute(text("SELECT * FROM jobs")).mappings().one())
    assert read["id"] == job_id


def claim_maps(cluster: Cluster, count: int) -> tuple[UUID, list[Claim]]:
    """Claim all steps of a wave of a new job, together, and return the claims in the order of the steps."""
    [job_id], _ = add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, session.begin():
        job = step_updates.lock_job(session, job_id)
        assert job is not None
        job.pending = count
        step_messages = outbox.add_steps(session, job, [NewStep("map", 0, index) for index in range(count)])
    tokens = {uuid4(): step_message.step_id for step_message in step_messages}
    with cluster.engine.begin() as connection:
        found = claims.claim_steps(connection, tokens, worker="w1", lease_seconds=60)
    assert {token: claim.step_id for token, claim in found.items()} == tokens
    return job_id, sorted(found.values(), key=lambda claim: claim.index)


def end_together(cluster: Cluster, ended: Sequence[Claim]) -> set[UUID]:
    """End steps in one statement, and return the tokens of those that it ended."""
    with cluster.engine.begin() as connection:
        endings = [(claim, StepResult(output=f"part {claim.index}")) for claim in ended]
        return results.end_siblings(connection, endings, worker="w1", lock_wait=GROUP_WAIT)


def test_steps_that_end_together_are_counted_together_and_leave_the_last_of_their_wave(cluster: Cluster) -> None:
    jobs = [claim_maps(cluster, 4) for _ in range(2)]
    ended = end_together(cluster, [*jobs[0][1], *jobs[1][1][:2]])
    assert ended == {claim.token for claim in (*jobs[0][1][:3], *jobs[1][1][:2])}
    with Session(cluster.engine) as session:
        pending = {job_id: session.get_one(Job, job_id).pending for job_id, _ in jobs}
        outputs = session.scalars(select(Step.output).where(Step.state == "done").order_by(Step.output)).all()
        attempts = session.scalars(select(StepAttempt.step_id)).all()
    assert pending == {jobs[0][0]: 1, jobs[1][0]: 2}
    assert outputs == ["part 0", "part 0", "part 1", "part 1", "part 2"]
    assert len(attempts) == 5


def test_a_step_whose_lease_was_lost_does_not_keep_its_siblings_from_ending(cluster: Cluster) -> None:
    job_id, taken = claim_maps(cluster, 4)
    lose_lease(cluster.engine, taken[0].step_id)
    assert end_together(cluster, taken) == {taken[1].token, taken[2].token}
    with Session(cluster.engine) as session:
        assert session.get_one(Job, job_id).pending == 2


def test_a_message_that_came_twice_is_claimed_once_in_one_statement(cluster: Cluster) -> None:
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    with cluster.engine.begin() as connection:
        tokens = {uuid4(): step_message.step_id for _ in range(3)}
        found = claims.claim_steps(connection, tokens, worker="w1", lease_seconds=60)
    assert len(found) == 1


def test_steps_that_end_together_do_not_wait_for_a_job_that_another_has_locked(cluster: Cluster) -> None:
    locked, taken = claim_maps(cluster, 3)
    _, others = claim_maps(cluster, 3)
    with Session(cluster.engine) as session, session.begin():
        step_updates.lock_job(session, locked)
        with pytest.raises(OperationalError) as raised:
            end_together(cluster, [taken[0], others[0]])
        assert raised.value.orig.sqlstate == "55P03"
        assert end_together(cluster, [others[0]]) == {others[0].token}


def test_the_limit_on_the_wait_for_locks_ends_with_its_statement(cluster: Cluster) -> None:
    _, taken = claim_maps(cluster, 3)
    with cluster.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        endings = [(claim, StepResult(output="part")) for claim in taken]
        results.end_siblings(connection, endings, worker="w1", lock_wait=GROUP_WAIT)
        assert connection.scalar(text("SHOW lock_timeout")) == "0"
