"""The life of a step in SQL, on a real Postgres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import outbox, results, step_updates
from models.claims import Claim
from models.job import Job, JobState
from models.outbox import NewStep
from models.partitions import step_id
from models.results import StepResult
from models.step import AttemptOutcome, Step, StepAttempt, StepState
from tests.conftest import Cluster
from tests.jobs import add_jobs, claim_step


def claim(cluster: Cluster, step, *, lease_seconds: float = 60) -> Claim | None:
    with cluster.engine.begin() as connection:
        return claim_step(connection, step, lease_seconds=lease_seconds)


def test_a_ready_step_is_claimed_once_however_many_try(cluster: Cluster) -> None:
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    with ThreadPoolExecutor(10) as pool:
        claims = list(pool.map(lambda _: claim(cluster, step_message.step_id), range(20)))
    assert len([each for each in claims if each]) == 1


def test_a_step_of_a_cancelled_job_is_not_claimed(cluster: Cluster) -> None:
    [job], [step_message] = add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(cancel_requested_at=text("now()")))
    assert claim(cluster, step_message.step_id) is None


def test_a_claim_alone_does_not_wait_for_the_disk(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["One.", "Two."])
    show = text("SHOW synchronous_commit")
    with cluster.engine.begin() as transaction:
        claim_step(transaction, step_messages[0].step_id)
        assert transaction.scalar(show) == "off"
    with cluster.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        claim_step(connection, step_messages[1].step_id)
        assert connection.scalar(show) == "on"


def test_an_unknown_step_is_not_claimed(cluster: Cluster) -> None:
    assert claim(cluster, uuid4()) is None


def test_a_result_is_stored_only_under_the_lease_that_it_was_made_with(cluster: Cluster) -> None:
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    old = claim(cluster, step_message.step_id)
    assert old is not None
    with Session(cluster.engine) as session, session.begin():
        assert step_updates.release_step(session, old, outcome=AttemptOutcome.RELEASED)
    new = claim(cluster, step_message.step_id)
    assert new is not None
    with Session(cluster.engine) as session, session.begin():
        assert not results.end_step(session, old, StepResult(output="zombie"), worker="w1")
        assert results.end_step(session, new, StepResult(output="real"), worker="w2")
        assert step_updates.was_completed(session, new)
        assert not step_updates.was_completed(session, old)
        assert session.scalar(select(Step.output).where(Step.id == step_message.step_id)) == "real"


def test_an_orderly_release_costs_nothing_and_an_error_is_counted(cluster: Cluster) -> None:
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    for outcome, errors in ((AttemptOutcome.RELEASED, 0), (AttemptOutcome.ERROR, 1)):
        taken = claim(cluster, step_message.step_id)
        assert taken is not None
        with Session(cluster.engine) as session, session.begin():
            step_updates.release_step(session, taken, outcome=outcome, error={"message": "m"})
            step = session.get_one(Step, step_message.step_id)
            assert (step.state, step.errors, step.crashes) == (StepState.READY, errors, 0)
    with Session(cluster.engine) as session:
        outcomes = session.scalars(select(StepAttempt.outcome).order_by(StepAttempt.attempt)).all()
    assert outcomes == ["released", "error"]


def test_leases_are_renewed_only_while_they_are_ours(cluster: Cluster) -> None:
    [job], [step_message] = add_jobs(cluster.engine, ["A text."])
    taken = claim(cluster, step_message.step_id)
    assert taken is not None
    with Session(cluster.engine) as session, session.begin():
        lost = replace(taken, token=uuid4())
        assert step_updates.renew_leases(session, [taken, lost], lease_seconds=60) == {taken.token: False}
        session.execute(update(Job).where(Job.id == job).values(cancel_requested_at=text("now()")))
        assert step_updates.renew_leases(session, [taken], lease_seconds=60) == {taken.token: True}
        assert step_updates.find_cancelled(session, [taken]) == [taken.token]


def test_creating_the_same_steps_twice_creates_them_once(cluster: Cluster) -> None:
    [job_id], _ = add_jobs(cluster.engine, ["A text."])
    for created in (2, 0):
        with Session(cluster.engine) as session, session.begin():
            job = step_updates.lock_job(session, job_id)
            step_messages = outbox.add_steps(session, job, [NewStep("map", 0, index) for index in range(2)])
            assert len(step_messages) == created


def test_a_finished_step_is_found_by_its_identity_unless_a_guard_stands_against_it(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["One.", "Two."])
    for step_message, stands in zip(step_messages, (True, False), strict=True):
        taken = claim(cluster, step_message.step_id)
        assert taken is not None
        guards = ({"name": "cut", "words": "w", "try": 1, "stands": stands},)
        result = StepResult(output="text", identity=f"identity {stands}", guards=guards)
        with Session(cluster.engine) as session, session.begin():
            assert results.end_step(session, taken, result, worker="w1")
    with cluster.engine.connect() as connection:
        assert results.find_cached(connection, "identity True") is None
        cached = results.find_cached(connection, "identity False")
    assert cached is not None
    assert (cached.output, cached.cached_from, cached.seconds) == ("text", step_messages[1].step_id, 0)


def test_a_reused_result_outlives_the_step_that_generated_it_and_waits_for_no_other_step(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["One.", "Two.", "Three."])
    taken = [claim(cluster, step_message.step_id) for step_message in step_messages]
    with Session(cluster.engine) as session, session.begin():
        assert results.end_step(session, taken[0], StepResult(output="text", identity="same"), worker="w1")
    with cluster.engine.connect() as connection:
        reused = results.find_cached(connection, "same")
    assert reused is not None
    with Session(cluster.engine) as first, Session(cluster.engine) as second:
        assert results.end_step(first, taken[1], replace(reused, identity="same"), worker="w1")
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        assert results.end_step(second, taken[2], replace(reused, identity="same"), worker="w1")
        second.commit()
        first.commit()
    with cluster.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs WHERE id = :job"), {"job": taken[0].job_id})
        found = results.find_cached(connection, "same")
    assert found is not None
    assert (found.output, found.cached_from) == ("text", step_messages[0].step_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET state = 'succeeded'",
        "UPDATE jobs SET state = 'partial', summary = 'text', finished_at = now()",
        "UPDATE jobs SET state = 'unheard of'",
        "UPDATE jobs SET pending = -1",
        "UPDATE steps SET state = 'done'",
        "UPDATE steps SET state = 'running'",
        "UPDATE steps SET lease_token = gen_random_uuid()",
        "UPDATE steps SET state = 'failed'",
        "UPDATE documents SET text = E' \\n '",
    ],
)
def test_the_database_refuses_rows_that_contradict_themselves(cluster: Cluster, statement: str) -> None:
    add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, pytest.raises(IntegrityError):
        session.execute(text(statement))


def test_a_job_ends_once_with_its_summary(cluster: Cluster) -> None:
    [job_id], _ = add_jobs(cluster.engine, ["A text."])
    with Session(cluster.engine) as session, session.begin():
        step_updates.end_job(step_updates.lock_job(session, job_id), JobState.SUCCEEDED, summary="Short.")
    with Session(cluster.engine) as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.summary, job.pending) == ("succeeded", "Short.", 0)
        assert job.finished_at is not None


def test_a_steps_id_follows_from_its_place() -> None:
    job = uuid4()
    assert step_id(job, "map", 0, 1) == step_id(job, "map", 0, 1) != step_id(job, "map", 0, 2)
