"""The barrier: the transaction that ends the last step of a wave creates the next one, and no other does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from models.checks import cancel_check, request_check
from models.job import Job
from models.options import make_options
from models.results import StepResult, end_step
from models.step import Step
from tests.conftest import Cluster, wait_until
from tests.hand_driven import LIMITS, Driver, make_plan
from tests.jobs import add_jobs
from workers.errors import PermanentError
from workers.execution.progression import add_wave, advance_job, describe_failure
from workers.summarization.steps import Conclusion, FinishedStep, JobProgress, NextSteps, StepKey
from workers.summarization.strategies import next_steps

STATEMENT = "UPDATE steps SET output = %(output)s"
MAPS = 3


@pytest.fixture
def driver(cluster: Cluster) -> Driver:
    """Ends steps as a worker does."""
    return Driver(cluster.engine)


@pytest.fixture
def job(cluster: Cluster, driver: Driver) -> UUID:
    """A job whose three map steps are ready."""
    [job], _ = add_jobs(cluster.engine, ["A text about a ferry that sank off Norway."], options=make_options())
    driver.plan(job, chunks=MAPS)
    driver.bell.waiting.clear()
    return job


def list_steps(driver: Driver, job: UUID) -> list[tuple[int, str, int, str]]:
    """Return round, kind, index and state of every step after the plan."""
    columns = (Step.round, Step.kind, Step.index, Step.state)
    with Session(driver.engine) as session:
        rows = select(*columns).where(Step.job_id == job, Step.kind != "plan").order_by(*columns[:3])
        return [tuple(row) for row in session.execute(rows)]  # type: ignore[misc]


def read_job(driver: Driver, job: UUID) -> Job:
    with Session(driver.engine, expire_on_commit=False) as session:
        return session.get_one(Job, job)


def end_maps(driver: Driver, job: UUID, *indices: int) -> None:
    for index in indices:
        driver.finish(driver.claim(job, "map", index), output=f"part {index}")


def list_rung(driver: Driver) -> list[str]:
    return [str(step_message.kind) for step_message in driver.bell.waiting]


def test_a_step_that_is_not_the_last_of_its_wave_asks_nobody_and_creates_nothing() -> None:
    job = Job(pending=2)
    assert advance_job(cast("Session", None), job, None, round_number=0) == []
    assert job.pending == 1


@pytest.mark.parametrize("failed", [(), (1,), (0, 2)])
def test_what_follows_the_maps_depends_on_their_ends_and_not_on_their_order(failed: tuple[int, ...]) -> None:
    specs = make_plan("map-reduce", 90, MAPS).first_steps
    ends = tuple(FinishedStep(spec, is_done=spec.key.index not in failed, tokens=20) for spec in specs)
    done = tuple(StepKey("map", 0, index) for index in range(MAPS) if index not in failed)
    following = next_steps(JobProgress("map-reduce", LIMITS, MAPS, ends))
    assert following == next_steps(JobProgress("map-reduce", LIMITS, MAPS, ends))
    if len(done) == 1:
        assert isinstance(following, Conclusion)
        assert (following.outcome, following.step) == ("partial", done[0])
    else:
        assert isinstance(following, NextSteps)
        assert [(str(spec.key), spec.inputs) for spec in following.steps] == [("reduce 1.0", done)]


def test_the_last_map_creates_the_reduce_and_the_ones_before_it_do_not(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, 2, 0)
    assert [kind for _, kind, _, _ in list_steps(driver, job)] == ["map"] * MAPS
    assert (read_job(driver, job).pending, list_rung(driver)) == (1, [])
    end_maps(driver, job, 1)
    assert list_steps(driver, job)[-1] == (0, "reduce", 0, "ready")
    assert (read_job(driver, job).pending, list_rung(driver)) == (1, ["reduce"])


def test_of_two_maps_that_end_together_the_second_waits_and_creates_the_reduce(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, 0)
    first, second = (driver.claim(job, "map", index) for index in (1, 2))
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    # Within a transaction pg_stat_activity would stay as it was first read.
    asking = driver.engine.execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as pool, asking.connect() as monitor:
        with Session(driver.engine) as session, session.begin():
            locked = end_step(session, first, StepResult(output="part 1"), worker="other")
            assert locked is not None
            ending = pool.submit(driver.finish, second, output="part 2")
            wait_until(lambda: monitor.scalar(text(blocked)) == 1, "the second waits for the lock on the job")
            # It is not the last, as far as anybody can know: the other has not been counted.
            assert advance_job(session, locked, None, round_number=0) == []
        ending.result()
    assert [row for row in list_steps(driver, job) if row[1] == "reduce"] == [(0, "reduce", 0, "ready")]
    assert list_rung(driver) == ["reduce"]


def test_maps_that_end_in_as_many_threads_create_one_reduce(cluster: Cluster, job: UUID) -> None:
    drivers = [Driver(cluster.engine) for _ in range(MAPS)]
    claims = [drivers[index].claim(job, "map", index) for index in range(MAPS)]
    with ThreadPoolExecutor(MAPS) as pool:
        list(pool.map(lambda driver, claim: driver.finish(claim, output="part"), drivers, claims))
    assert [row for row in list_steps(drivers[0], job) if row[1] == "reduce"] == [(0, "reduce", 0, "ready")]
    assert [kind for driver in drivers for kind in list_rung(driver)] == ["reduce"]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1)], ids=["fails-first", "fails-last"])
def test_a_failed_map_counts_as_ended_and_leaves_a_partial_summary(
    driver: Driver, job: UUID, order: tuple[int, ...]
) -> None:
    for index in order:
        driver.fail(job, "map", 1) if index == 1 else end_maps(driver, job, index)
    with Session(driver.engine) as session:
        inputs = session.scalar(select(Step.inputs).where(Step.job_id == job, Step.kind == "reduce"))
    assert inputs == [{"kind": "map", "level": 0, "index": index} for index in (0, 2)]
    driver.close(job, words="The ferry sank.")
    ended = read_job(driver, job)
    assert (ended.state, ended.summary) == ("partial", "The ferry sank.")
    assert ended.reason == "part 2 of 3, missing: it broke"


def test_a_job_whose_maps_all_failed_has_failed_without_a_reduce(driver: Driver, job: UUID) -> None:
    for index in range(MAPS):
        driver.fail(job, "map", index)
    ended = read_job(driver, job)
    assert (ended.state, ended.summary, ended.pending) == ("failed", None, 0)
    assert ended.reason == "; ".join(f"part {place} of 3, missing: it broke" for place in (1, 2, 3))
    assert [kind for _, kind, _, _ in list_steps(driver, job)] == ["map"] * MAPS
    assert list_rung(driver) == []


def test_the_last_map_of_a_job_that_is_being_cancelled_creates_nothing(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, 0, 1)
    last = driver.claim(job, "map", 2)
    with Session(driver.engine) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(cancel_requested_at=func.now()))
    driver.finish(last, output="part 2")
    assert (read_job(driver, job).state, read_job(driver, job).summary) == ("cancelled", None)
    assert [(kind, state) for _, kind, _, state in list_steps(driver, job)] == [("map", "done")] * MAPS
    assert list_rung(driver) == []


def test_a_map_whose_lease_was_lost_is_counted_once_when_it_ends_elsewhere(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, 0, 1)
    lost = driver.claim(job, "map", 2)
    with Session(driver.engine) as session, session.begin():
        taken = update(Step).where(Step.id == lost.step_id)
        session.execute(taken.values(state="ready", lease_token=None, lease_until=None))
    again = driver.claim(job, "map", 2)
    assert again.token != lost.token
    driver.finish(lost, output="too late")
    assert (read_job(driver, job).pending, list_rung(driver)) == (1, [])
    driver.finish(again, output="part 2")
    assert list_rung(driver) == ["reduce"]
    with Session(driver.engine) as session:
        assert session.scalar(select(Step.output).where(Step.id == lost.step_id)) == "part 2"


def test_the_barrier_of_a_second_try_counts_its_own_steps_and_leaves_the_summary(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, *range(MAPS))
    driver.close(job, words="The first summary.")
    with Session(driver.engine) as session, session.begin():
        steps = make_plan("map-reduce", 90, MAPS).first_steps
        assert len(add_wave(session, session.get_one(Job, job), steps, round_number=1)) == MAPS
    driver.bell.waiting.clear()
    for index in range(MAPS):
        driver.finish(driver.claim(job, "map", index, round_number=1), output="other part")
    assert list_rung(driver) == ["reduce"]
    driver.finish(driver.claim(job, "reduce", round_number=1), output="The second summary.")
    # Whether it is the better one, its check will say.
    assert list_rung(driver) == ["reduce", "evaluate"]
    assert list_steps(driver, job)[MAPS + 1 :] == [
        (1, "evaluate", 0, "ready"),
        *((1, "map", index, "done") for index in range(MAPS)),
        (1, "reduce", 0, "done"),
    ]
    assert (read_job(driver, job).state, read_job(driver, job).summary) == ("succeeded", "The first summary.")


def test_a_second_try_that_was_called_off_gets_no_more_steps(driver: Driver, job: UUID) -> None:
    end_maps(driver, job, *range(MAPS))
    driver.close(job, words="The first summary.")
    with Session(driver.engine) as session, session.begin():
        request_check(session, session.get_one(Job, job))
    with Session(driver.engine) as session, session.begin():
        assert cancel_check(session, job)
    with Session(driver.engine) as session, session.begin():
        steps = make_plan("map-reduce", 90, MAPS).first_steps
        assert add_wave(session, session.get_one(Job, job), steps, round_number=1) == []
    assert [row for row in list_steps(driver, job) if row[0] == 1] == [(1, "evaluate", 0, "cancelled")]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermanentError("no try gave any text"), "no try gave any text"),
        (KeyError(), "KeyError"),
        (
            DataError(STATEMENT, {}, psycopg.DataError("a field cannot contain NUL\nLINE 1: UPDATE steps")),
            "a field cannot contain NUL",
        ),
    ],
)
def test_a_failure_is_told_in_a_line_without_its_statement(error: Exception, message: str) -> None:
    assert describe_failure(error) == {"type": type(error).__name__, "message": message}
