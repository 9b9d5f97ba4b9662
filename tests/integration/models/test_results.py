"""The statements that claim and finish a step: their plans, and how many threads use them."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import claims, results
from models.job import Job
from models.results import StepResult
from tests.conftest import Cluster
from tests.jobs import add_jobs
from tests.processes import PATIENCE

# What SQLAlchemy fills while it builds a statement is filled by one thread, or another may see it half full.
BUILD = """
from sqlalchemy.sql.base import WriteableColumnCollection
from tests.processes import PATIENCE
from models import claims, results

def fill(self):
    raise AssertionError("an index of columns is filled late")

WriteableColumnCollection._init_proxy_index = fill
for statement in (claims._CLAIM, results._FINISH, results._FINISH_AMONG_SIBLINGS, results.CACHED):
    print(len(str(statement.compile())) > 100)
"""
VALUES = {
    "step_id": uuid4(),
    "token": uuid4(),
    "job_id": uuid4(),
    "worker": "w1",
    "lease_length": timedelta(seconds=60),
    "crashes": 0,
    **dict.fromkeys(StepResult.__slots__),
}
# So many that a partial index of running steps is no shortcut.
FILL = """
INSERT INTO steps (id, job_id, kind, level, index, state, queue, priority, lease_token, lease_until)
SELECT gen_random_uuid(), id, 'map', 0, place, 'running', 'map.default', 3, gen_random_uuid(), now()
FROM jobs, generate_series(1, 2000) AS place
"""


def test_nothing_that_threads_share_is_filled_while_they_build_a_statement() -> None:
    built = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (built.returncode, built.stdout, built.stderr) == (0, "True\n" * 4, "")


@pytest.mark.parametrize("statement", [claims.CLAIM, results.FINISH, results.FINISH_AMONG_SIBLINGS])
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


def test_the_job_of_a_finished_step_is_read_with_every_column(cluster: Cluster) -> None:
    [job_id], [step_message] = add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, session.begin():
        claim = claims.claim_step(
            session.connection(), step_message.step_id, token=uuid4(), worker="w1", lease_seconds=60
        )
        assert claim is not None
        session.execute(
            text("UPDATE jobs SET reason = 'a reason', strategy = 'stuff', plan = '{\"reason\": \"short\"}'")
        )
        job = results.end_step(session, claim, StepResult(output="text"), worker="w1")
        assert job is not None
        read = {column.name: getattr(job, column.name) for column in Job.__table__.c}
        assert read == dict(session.execute(text("SELECT * FROM jobs")).mappings().one())
    assert read["id"] == job_id
