from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver, ready_steps
from tests.integration.conftest import Gistmill, read_job, read_jobs


def test_cancelling_a_batch_ends_its_open_jobs_and_keeps_what_is_finished(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id)
    driver.plan(submitted[1].job_id)

    done = gistmill("cancel", "pile")

    assert (done.code, done.out) == (0, "batch pile: 3 jobs cancelled, 1 job had ended before\n")
    assert [job.state for job in read_jobs(cluster)] == ["succeeded", "cancelled", "cancelled", "cancelled"]
    assert ready_steps(cluster.engine) == []
    assert read_job(cluster, submitted[1].job_id).reason == "cancelled by request"


def test_a_job_with_a_running_step_is_left_to_its_worker(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job)
    driver.claim(job, "map")

    done = gistmill("cancel", str(job)[:8])

    assert done.out == f"job {str(job)[:8]} of batch pile: 1 job with a running step will end within seconds\n"
    assert read_job(cluster, job).state == "running"
    with Session(cluster.engine) as session:
        assert session.scalars(select(Job.cancel_requested_at).where(Job.id == job)).one() is not None


def test_cancelling_twice_is_cancelling_once(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    gistmill("cancel", "pile")

    assert gistmill("cancel", "pile", "--json").json == {"ended": 0, "ending": 0, "already": 4, "checks": 0}


def test_what_was_cancelled_is_counted_and_can_be_taken_up_again(
    gistmill: Gistmill, submitted: list[JobSummary]
) -> None:
    gistmill("cancel", "pile")
    again = "run what was cancelled again with: gistmill retry pile\n"

    status = gistmill("status", "pile")
    assert "0 of 4 done, 0 running, 4 cancelled" in status.out
    assert again in status.out
    assert [each["cancelled"] for each in gistmill("status", "pile", "--json").json["steps"]] == [4]
    assert again in gistmill("watch", "pile").out
    gistmill("retry", "pile")
    assert "cancelled" not in gistmill("status", "pile").out.partition("\n\n")[0]


def test_the_beginning_of_an_id_is_enough_if_no_other_has_it(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    done = gistmill("cancel", str(submitted[0].job_id)[:3])

    assert done.code == 0
    assert [job.state for job in read_jobs(cluster)] == ["cancelled", "queued", "queued", "queued"]
