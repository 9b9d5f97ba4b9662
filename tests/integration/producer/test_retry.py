from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from models import step_updates
from models.job import Job
from models.step import AttemptOutcome, Step, StepAttempt
from models.tables import Evaluation
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver, ready_steps
from tests.integration.conftest import Gistmill, read_job


def steps_of(cluster: Cluster, job: UUID) -> dict[tuple[str, int], str]:
    with Session(cluster.engine) as session:
        rows = session.execute(select(Step.kind, Step.index, Step.state).where(Step.job_id == job)).all()
    return {(kind, index): state for kind, index, state in rows}


def pending_of(cluster: Cluster, job: UUID) -> int:
    with Session(cluster.engine) as session:
        return session.scalars(select(Job.pending).where(Job.id == job)).one()


def fail_one_map(cluster: Cluster, driver: Driver, job: UUID, *, index: int = 1) -> None:
    """End a job partial: one of its three maps failed and the reduce went on without it."""
    driver.plan(job)
    driver.fail(job, "map", index)
    for other in {0, 1, 2} - {index}:
        driver.finish(driver.claim(job, "map", other), output="part")
    driver.close(job)


def test_a_failed_plan_runs_again(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.fail(job, "plan")

    done = gistmill("retry", str(job))

    assert (done.code, done.out) == (0, "restarted: 1 job\n")
    assert (read_job(cluster, job).state, read_job(cluster, job).reason) == ("queued", None)
    assert pending_of(cluster, job) == 1
    driver.run(job)
    assert read_job(cluster, job).state == "succeeded"


def test_only_the_failed_step_runs_again_and_what_followed_is_made_anew(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    fail_one_map(cluster, driver, job)

    gistmill("retry", str(job)[:8])

    assert steps_of(cluster, job) == {("plan", 0): "done", ("map", 0): "done", ("map", 1): "ready", ("map", 2): "done"}
    assert pending_of(cluster, job) == 1
    again = read_job(cluster, job)
    assert (again.state, again.summary, again.reason, again.finished_at) == ("running", None, None, None)


def test_a_restarted_step_has_fresh_counters_and_keeps_its_tries(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    claim = driver.claim(job, "plan")
    with Session(cluster.engine) as session, session.begin():
        step_updates.release_step(session, claim, outcome=AttemptOutcome.ERROR, error={"message": "first"})
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Step).where(Step.job_id == job).values(crashes=2, is_solo=True))
    driver.fail(job, "plan")

    gistmill("retry", str(job))

    with Session(cluster.engine) as session:
        step = session.scalars(select(Step).where(Step.job_id == job)).one()
        assert (step.state, step.errors, step.crashes, step.is_solo, step.error) == ("ready", 0, 0, False, None)
        assert step.attempt == 2
        tries = select(StepAttempt.attempt, StepAttempt.error["message"].astext).order_by(StepAttempt.attempt)
        assert session.execute(tries).all() == [(1, "first"), (2, "it broke")]


def test_a_cancelled_job_goes_on_where_it_stopped(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job)
    driver.finish(driver.claim(job, "map"), output="part")
    gistmill("cancel", str(job))
    assert steps_of(cluster, job)["map", 1] == "cancelled"

    gistmill("retry", str(job))

    assert steps_of(cluster, job) == {("plan", 0): "done", ("map", 0): "done", ("map", 1): "ready", ("map", 2): "ready"}
    assert pending_of(cluster, job) == 2


def test_a_job_that_was_cancelled_between_two_waves_runs_its_last_step_again(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job, strategy="refine")
    claim = driver.claim(job, "refine")
    gistmill("cancel", str(job))
    driver.finish(claim, output="draft")
    assert read_job(cluster, job).state == "cancelled"

    gistmill("retry", str(job))

    assert steps_of(cluster, job) == {("plan", 0): "done", ("refine", 0): "ready"}


def test_a_chain_is_cut_behind_the_step_that_failed(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, strategy="refine", chunks=4)
    with Session(cluster.engine) as session, session.begin():
        session.execute(
            update(Step)
            .where(Step.job_id == job, Step.kind == "refine", Step.index == 1)
            .values(state="failed", output=None, error={"message": "x"})
        )
        session.execute(update(Job).where(Job.id == job).values(state="partial", reason="part 2 of 4, missing: x"))

    gistmill("retry", str(job))

    assert steps_of(cluster, job) == {("plan", 0): "done", ("refine", 0): "done", ("refine", 1): "ready"}


def test_marked_outputs_run_again_only_if_asked(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job)
    with Session(cluster.engine) as session, session.begin():
        guard = [{"name": "cut", "words": "it is cut", "try": 2, "stands": True}]
        session.execute(
            update(Step).where(Step.job_id == job, Step.kind == "map", Step.index == 2).values(guards=guard)
        )
        session.execute(update(Job).where(Job.id == job).values(state="partial", reason="it is cut"))

    assert gistmill("retry", "pile").out == "nothing to run again: 1 job\n"
    assert gistmill("retry", "pile", "--marked").out == "restarted: 1 job\n"
    assert steps_of(cluster, job)["map", 2] == "ready"


def test_measures_of_a_summary_go_with_it(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    fail_one_map(cluster, driver, job)
    with Session(cluster.engine) as session, session.begin():
        session.execute(insert(Evaluation).values(job_id=job, metric="rouge1", value=0.5))

    gistmill("retry", str(job))

    assert read_job(cluster, job).metrics == {}


def test_a_batch_retries_what_ended_badly_and_leaves_the_rest_alone(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id)
    driver.fail(submitted[1].job_id, "plan")
    fail_one_map(cluster, driver, submitted[2].job_id)

    assert gistmill("retry", "pile", "--json").json == {"restarted": 2}
    assert gistmill("retry", "pile").out == "no job of batch pile has failed, is partial or was cancelled\n"
    assert ready_steps(cluster.engine) == [("map", 1), ("plan", 0), ("plan", 0)]


@pytest.mark.parametrize(("is_open", "reply"), [(True, "still open"), (False, "nothing to run again")])
def test_a_job_that_needs_no_retry_is_left_alone(
    is_open: bool, reply: str, gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    if not is_open:
        driver.run(job)

    assert gistmill("retry", str(job)).out == f"{reply}: 1 job\n"


def test_a_restarted_job_can_be_claimed_at_once(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.fail(job, "plan")
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Step).where(Step.job_id == job).values(available_at=func.now() + timedelta(hours=1)))

    gistmill("retry", str(job))

    assert driver.claim(job, "plan").errors == 0
