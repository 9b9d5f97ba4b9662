from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from models.job import Job
from models.step import Step
from models.tables import Evaluation
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver, ready_steps
from tests.integration.conftest import Gistmill, read_job, read_jobs
from tests.integration.producer.evidence import add_evidence
from workers.evaluation.rouge import score_rouge

COLUMNS = ("--id-column", "name", "--reference-column", "good")


@pytest.fixture
def ended(driver: Driver, submitted: list[JobSummary]) -> list[JobSummary]:
    """a.md and b.md have a summary, c.md failed, d.md waits."""
    driver.run(submitted[0].job_id, words="The ferry sank on Monday.")
    driver.run(submitted[1].job_id, words="Nobody was hurt.")
    driver.fail(submitted[2].job_id, "plan")
    return submitted


def test_scores_are_stored_for_each_job_and_what_does_not_match_is_named(
    gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]
) -> None:
    reference = "A ferry sank."
    Path("good.csv").write_text(f"name,good\na.md,{reference}\nb,\nc.md,Something.\nelse.md,Other.\n")

    found = gistmill("evaluate", "pile", "--references", "good.csv", *COLUMNS, "--json").json

    expected = score_rouge("The ferry sank on Monday.", reference)
    assert read_job(cluster, ended[0].job_id).metrics == pytest.approx(expected)
    assert found["means"]["rougeL"]["value"] == pytest.approx(expected["rougeL"])
    assert found["scored"] == 1
    assert found["not_measurable"] == {
        "b.md": "the reference has no words",
        "c.md": "there is no summary: the job is failed",
    }
    assert (found["jobs_without_reference"], found["references_without_job"]) == (["d.md"], ["else.md"])


def test_scoring_again_replaces_the_scores(gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]) -> None:
    for reference, value in (("Nothing alike.", 0.0), ("The ferry sank on Monday.", 1.0)):
        Path("good.jsonl").write_text(f'{{"name": "a", "good": "{reference}"}}\n')
        done = gistmill("evaluate", "pile", "--references", "good.jsonl", *COLUMNS)
        assert "batch pile: 1 summary scored" in done.out
        assert "without a reference: 3 (b.md, c.md, d.md)" in done.out
        assert read_job(cluster, ended[0].job_id).metrics["rouge1"] == value


def test_a_summary_that_is_replaced_while_it_is_scored_gets_no_score(
    gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_and_score(summary: str, reference: str) -> dict[str, float]:
        with cluster.engine.begin() as transaction:
            transaction.execute(update(Job).where(Job.id == ended[0].job_id).values(summary="A better one."))
        return score_rouge(summary, reference)

    monkeypatch.setattr("workers.reference_scores.score_rouge", replace_and_score)
    Path("good.csv").write_text("name,good\na,The ferry sank on Monday.\n")

    found = gistmill("evaluate", "pile", "--references", "good.csv", *COLUMNS, "--json").json

    assert (found["scored"], found["being_checked"]) == (0, ["a.md"])
    assert not read_job(cluster, ended[0].job_id).metrics


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("name,good\n", ("--id-column", "name"), "--references needs --id-column and --reference-column"),
        ("name,better\na,b\n", COLUMNS, "has no column 'good'; give --reference-column one of 'name', 'better'"),
        ("name,good\na,b\na,c\n", COLUMNS, "has two references for 'a'"),
        ("name,good\n,b\n", COLUMNS, "#row 1 has nothing in column 'name'"),
    ],
)
def test_references_that_cannot_be_used_are_wrong_usage(
    content: str, columns: tuple[str, ...], message: str, gistmill: Gistmill, ended: list[JobSummary]
) -> None:
    Path("good.csv").write_text(content)

    done = gistmill("evaluate", "pile", "--references", "good.csv", *columns)

    assert done.code == 2
    assert message in done.err


def test_checks_are_ordered_once_for_the_jobs_that_have_a_summary(
    gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]
) -> None:
    assert gistmill("evaluate", "pile").out == "2 checks ordered; follow them with: gistmill watch pile\n"
    assert gistmill("evaluate", "pile").out == "every summary of batch pile is checked or being checked\n"
    assert ready_steps(cluster.engine).count(("evaluate", 0)) == 2
    assert "checks  2 under way" in gistmill("status", "pile").out


def test_the_check_of_one_job_is_ordered_alone(gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]) -> None:
    assert gistmill("evaluate", "a.md").out == "1 check ordered; follow them with: gistmill watch pile\n"
    assert gistmill("evaluate", "a.md").out.endswith(" is checked or being checked\n")
    assert ready_steps(cluster.engine).count(("evaluate", 0)) == 1


def test_what_has_no_summary_is_said_to_have_none(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    assert gistmill("evaluate", "pile").out == "batch pile has no summary to check\n"


def test_cancelling_calls_waiting_checks_off_and_leaves_the_summaries(
    gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]
) -> None:
    gistmill("evaluate", "pile")

    assert (
        gistmill("cancel", "pile").out == "batch pile: 1 job cancelled, 3 jobs had ended before, 2 checks called off\n"
    )

    with Session(cluster.engine) as session:
        states = session.scalars(select(Step.state).where(Step.kind == "evaluate")).all()
    assert set(states) == {"cancelled"}
    assert [job.state for job in read_jobs(cluster)] == ["succeeded", "succeeded", "failed", "cancelled"]
    assert gistmill("evaluate", "pile", "--json").json["ordered"] == 2


def test_what_needs_review_is_said_everywhere(gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]) -> None:
    with Session(cluster.engine) as session, session.begin():
        add_evidence(session, ended[0].job_id)

    assert (
        "a.md: needs review: its least supported sentence has a support of 0.200, below the gate of 0.5"
        in gistmill("status", "pile").out
    )
    assert [job["source"] for job in gistmill("results", "pile", "--needs-review", "--json").json] == ["a.md"]
    assert re.search(r"0\.200 +needs review", gistmill("results", "pile").out)
    assert "consistency" in gistmill("export", "pile").out.splitlines()[0]
    assert "- needs review: its least supported sentence" in gistmill("export", "pile", "--format", "markdown").out


def test_batches_over_the_same_documents_are_compared_in_pairs(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, ended: list[JobSummary]
) -> None:
    gistmill("submit", "a.md", "b.md", "c.md", "--batch", "other", "--style", "news")
    others = [job for job in read_jobs(cluster) if job.batch == "other"]
    for job in others:
        driver.run(job.job_id, strategy="refine", words="Short.")
    with Session(cluster.engine) as session, session.begin():
        for job, value in zip((*ended[:2], *others[:2]), (0.2, 0.4, 0.5, 0.9), strict=True):
            session.execute(insert(Evaluation).values(job_id=job.job_id, metric="consistency", value=value))

    found = gistmill("compare", "pile", "other", "--json").json

    differences = {each["measure"]: each for each in found["differences"]}
    assert found["documents"] == 2
    assert (differences["consistency"]["first"], differences["consistency"]["second"]) == pytest.approx((0.3, 0.7))
    assert differences["consistency"]["difference"]["value"] == pytest.approx(0.4)
    assert differences["completion_tokens"]["difference"]["count"] == 2
    assert found["unpaired"] == {"without a summary in the first batch": ["c.md"], "not in the second batch": ["d.md"]}
    printed = gistmill("compare", "pile", "other").out
    assert "fewer than 10 documents: the intervals are too narrow" in printed
    assert "too few documents\n" in printed
    assert "left out, not in the second batch: 1 (d.md)" in printed


def test_batches_without_a_common_document_are_not_compared(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    Path("z.md").write_text("Another document altogether.")
    gistmill("submit", "z.md", "--batch", "other")

    done = gistmill("compare", "pile", "other")

    assert (done.code, "no document in common" in done.err) == (1, True)
