from __future__ import annotations

from sqlalchemy.orm import Session

from models.approval import list_approved
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill, read_job


def list_pairs(cluster: Cluster, job: JobSummary) -> list[str]:
    with Session(cluster.engine) as session:
        return [summary for _, summary in list_approved(session, job.batch_id)]


def test_a_batch_is_approved_without_the_jobs_that_are_not_whole(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id, words="first")
    driver.plan(submitted[1].job_id)
    driver.finish_maps(submitted[1].job_id)
    driver.close(submitted[1].job_id, words="second", reason="a part is missing")
    driver.run(submitted[2].job_id, words="third")

    done = gistmill("approve", "pile")

    assert (done.code, done.out) == (0, "2 summaries: approved\n"), done.err
    assert list_pairs(cluster, submitted[0]) == ["first", "third"]
    assert read_job(cluster, submitted[0].job_id).metrics == {"approved": 1}
    assert gistmill("approve", "pile").out == "2 summaries: approved\n"


def test_an_approval_is_taken_back(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id)
    gistmill("approve", str(submitted[0].job_id))

    assert gistmill("approve", str(submitted[0].job_id), "--revoke").out == "1 summary: approval taken back\n"
    assert list_pairs(cluster, submitted[0]) == []


def test_what_has_no_whole_summary_is_not_approved(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill("approve", "pile")

    assert done.code == 1
    assert "pile has no whole summary to approve" in done.err
