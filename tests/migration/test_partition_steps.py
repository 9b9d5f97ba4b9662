"""The upgrade that splits steps by month, on a database with steps, beside workers of the version before."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from migrations.run import downgrade, upgrade
from models.claims import claim_step
from models.results import find_cached
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker, ready_messages
from tests.jobs import SECTIONS, add_jobs, section_options
from tests.roles import apply_roles

# What a worker of the version before sends to finish a step.
FINISH = text(
    """
    WITH job AS (SELECT id FROM jobs WHERE id = :job FOR UPDATE),
    ended AS (
        UPDATE steps SET state = 'done', output = 'An output.', identity = id::text, done_token = lease_token,
            lease_token = NULL, lease_until = NULL, finished_at = now()
        WHERE id = :step AND lease_token = :token AND state = 'running' AND EXISTS (SELECT FROM job)
        RETURNING id, attempt
    ),
    attempt AS (INSERT INTO step_attempts (step_id, attempt, outcome) SELECT id, attempt, 'done' FROM ended)
    SELECT count(*) FROM ended
    """
)
ADD = text(
    """
    INSERT INTO steps (id, job_id, kind, level, index, state, queue, priority)
    SELECT gen_random_uuid(), id, 'map', 0, place, 'ready', 'map.default', 3
    FROM jobs, generate_series(1, :count) AS place
    """
)
STEPS = 300


def run_old_worker(engine: Engine, steps: list[UUID]) -> int:
    """Claim and finish steps as a worker of the version before does; return how many it has finished."""
    finished = 0
    for step in steps:
        while True:
            try:
                with engine.begin() as connection:
                    claim = claim_step(connection, step, token=uuid4(), worker="old", lease_seconds=60)
                    assert claim is not None
                    values = {"job": claim.job_id, "step": step, "token": claim.token}
                    finished += connection.execute(FINISH, values).scalar_one()
                break
            except DBAPIError as error:
                # The tables were exchanged meanwhile: workers try again after a deadlock.
                if not getattr(error.orig, "sqlstate", "").startswith("40"):
                    raise
    return finished


def test_steps_are_split_while_workers_of_the_version_before_run(cluster: Cluster) -> None:
    downgrade(cluster.engine, "0012")
    add_jobs(cluster.engine, ["A text."], is_old=True)
    with cluster.engine.begin() as connection:
        connection.execute(ADD, {"count": STEPS})
        steps = list(connection.scalars(text("SELECT id FROM steps WHERE kind = 'map'")))
    finished: list[int] = []
    half = STEPS // 2
    workers = [
        threading.Thread(target=lambda part: finished.append(run_old_worker(cluster.engine, part)), args=(part,))
        for part in (steps[:half], steps[half:])
    ]
    for worker in workers:
        worker.start()

    upgrade(cluster.engine)

    for worker in workers:
        worker.join()
    assert sum(finished) == STEPS
    with cluster.engine.connect() as connection:
        tables = text("SELECT tableoid::regclass::text, state, count(*) FROM steps GROUP BY 1, 2 ORDER BY 2")
        assert [tuple(row) for row in connection.execute(tables)] == [
            ("steps_old", "done", STEPS), ("steps_old", "ready", 1),
        ]  # fmt: skip
        once = text("SELECT count(*), count(DISTINCT step_id) FROM step_attempts")
        assert tuple(connection.execute(once).one()) == (STEPS, STEPS)


def test_a_job_that_began_before_the_split_ends_after_it(cluster: Cluster) -> None:
    add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"), is_old=True)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    worker.run_step(ready_messages(cluster.engine)[0].step_id)
    worker.run_step(worker.bell.waiting.pop(0).step_id)
    with cluster.engine.connect() as connection:
        identity = connection.scalar(text("SELECT identity FROM steps WHERE kind = 'map' AND state = 'done'"))
    downgrade(cluster.engine, "0012")

    upgrade(cluster.engine)

    with cluster.engine.connect() as connection:
        assert find_cached(connection, identity)
    worker.run_all()
    with cluster.engine.connect() as connection:
        assert connection.scalar(text("SELECT state FROM jobs")) == "succeeded"
    assert_nothing_lost_or_doubled(cluster.engine)


def test_ids_with_a_month_in_the_old_table_get_their_partition(cluster: Cluster) -> None:
    add_jobs(cluster.engine, ["One text.", "Another text."])
    downgrade(cluster.engine, "0012")

    upgrade(cluster.engine)

    with cluster.engine.connect() as connection:
        old = text("SELECT count(*) FROM steps WHERE tableoid IN ('steps_old'::regclass, 'steps_default'::regclass)")
        assert connection.scalar(old) == 0
        assert connection.scalar(text("SELECT count(*) FROM steps")) == 2


def test_roles_keep_their_rights_to_steps(cluster: Cluster) -> None:
    apply_roles(cluster.database_url)
    granted = text(
        "SELECT grantee, privilege_type, column_name FROM information_schema.column_privileges "
        "WHERE table_name IN ('steps', 'step_attempts') AND grantee LIKE 'gistmill\\_%' ORDER BY 1, 2, 3"
    )
    policies = text("SELECT policyname, cmd, roles FROM pg_policies WHERE tablename = 'steps' ORDER BY 1")
    with cluster.engine.connect() as connection:
        before = [connection.execute(statement).all() for statement in (granted, policies)]
    assert all(before)

    for change in (lambda: downgrade(cluster.engine, "0012"), lambda: upgrade(cluster.engine)):
        change()

        with cluster.engine.connect() as connection:
            assert [connection.execute(statement).all() for statement in (granted, policies)] == before
            assert connection.scalar(text("SELECT relrowsecurity FROM pg_class WHERE oid = 'steps'::regclass"))
