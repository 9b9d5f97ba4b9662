from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.sentences import SENTENCES, SUMMARY


def test_without_a_name_the_latest_batches_are_listed(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id)

    done = gistmill("status")

    assert done.code == 0
    header, row = done.out.splitlines()
    assert header.split() == [
        "batch",
        "submitted",
        "jobs",
        "open",
        "succeeded",
        "partial",
        "failed",
        "cancelled",
        "flagged",
        "steps",
    ]
    assert row.split()[3:] == ["4", "3", "1", "0", "0", "0", "0", "5/8"]


def test_before_the_first_submission_it_says_how_to_begin(gistmill: Gistmill) -> None:
    assert gistmill("status").out == "there is no batch yet; submit one with: gistmill submit PATH...\n"
    assert gistmill("status", "--json").json == []


def test_a_batch_shows_steps_by_strategy_speed_and_failures(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.register()
    driver.run(submitted[0].job_id)
    driver.run(submitted[1].job_id, strategy="refine")
    driver.plan(submitted[2].job_id)
    driver.fail(submitted[3].job_id, "plan", message="the document is\n\x1b[2Jodd")

    done = gistmill("status", "pile")

    assert "batch pile: 4 jobs, 2 succeeded, 1 failed, 1 running" in done.out
    assert "cpu@test (cpu, default: weights (f), 0 running)" in done.out
    assert "tokens/s" in done.out
    assert "time left" in done.out
    assert "map-reduce  map     3        0        3     0" in done.out
    assert "failed  d.md: the document is" in done.out
    assert "\x1b" not in done.out
    assert "gistmill retry pile" in done.out


def test_weights_that_nobody_serves_are_named(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    (Path.cwd() / "other.md").write_text("# Other\n\nSomebody said something else. " * 9)
    assert "no worker serves" not in gistmill("status", "pile").out
    driver.register()
    gistmill("submit", "other.md", "--batch", "pile", "--weights", "reports")

    done = gistmill("status", "pile")

    assert (
        "cpu@test (cpu, default: weights (f), 0 running); none serves reports: `gistmill worker --name reports`"
        in done.out
    )
    assert gistmill("status", "pile", "--json").json["unserved"] == ["reports"]


def test_a_check_waits_for_its_weights_too(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.register()
    for job in submitted:
        driver.run(job.job_id)
    with cluster.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET weights = 'reports'"))
    assert gistmill("status", "pile", "--json").json["unserved"] == []

    gistmill("evaluate", "pile")

    assert gistmill("status", "pile", "--json").json["unserved"] == ["reports"]


def test_a_check_that_failed_is_nothing_to_retry(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    for job in submitted:
        driver.run(job.job_id)
    gistmill("evaluate", "pile")
    with cluster.engine.begin() as connection:
        connection.execute(text("UPDATE steps SET state = 'failed', error = '{}' WHERE kind = 'evaluate'"))
        connection.execute(text("UPDATE jobs SET review = 'its check failed'"))

    done = gistmill("status", "pile")

    assert "read what needs review with" in done.out
    assert "gistmill retry" not in done.out


def test_a_snapshot_is_whole_as_json(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    driver.run(submitted[0].job_id)

    snapshot = gistmill("status", "pile", "--json").json

    assert snapshot["progress"]["succeeded"] == 1
    assert snapshot["tokens_per_second"] > 0
    assert {step["kind"] for step in snapshot["steps"]} == {"plan", "map", "reduce"}


def test_sentences_are_counted_by_verdict(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    assert "sentences" not in gistmill("status", "pile").out
    for job in submitted[:2]:
        driver.run(job.job_id, words=SUMMARY, sentences=SENTENCES)

    status = gistmill("status", "pile").out

    assert "sentences  2 sentences verified, 2 quoted, 2 flagged\n" in status
    assert "read what is flagged with: gistmill results pile --flagged\n" in status
    progress = gistmill("status", "pile", "--json").json["progress"]
    assert [progress[name] for name in ("verified", "quoted", "flagged")] == [2, 2, 2]
    assert "sentences  1 sentence verified, 1 quoted, 1 flagged\n" in gistmill("status", str(submitted[0].job_id)).out


def test_a_job_is_found_by_the_beginning_of_its_id(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job)

    done = gistmill("status", str(job)[:8])

    assert done.out.startswith(f"job {job}: succeeded\n")
    assert gistmill("status", str(job), "--json").json["summary"] == "a summary"


def test_a_batch_is_found_by_the_beginning_of_its_name(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    assert gistmill("status", "pi").out.startswith("batch pile: 4 jobs")


def test_a_job_is_found_by_its_document_if_that_has_no_other(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    assert gistmill("status", "b.md").out.startswith(f"job {submitted[1].job_id}: queued\n")

    gistmill("submit", "b.md", "--batch", "again")

    assert "'b.md' could mean " in gistmill("status", "b.md").err
    assert f"{str(submitted[1].job_id)[:8]} (b.md in pile)" in gistmill("status", "b.md").err


def test_the_beginning_of_an_id_may_be_as_short_as_it_is_unambiguous(
    gistmill: Gistmill, submitted: list[JobSummary]
) -> None:
    ids = [str(job.job_id) for job in submitted] + [str(submitted[0].batch_id)]
    for job in submitted:
        digits = next(n for n in range(1, 9) if sum(other.startswith(str(job.job_id)[:n]) for other in ids) == 1)
        assert gistmill("status", str(job.job_id)[:digits]).out.startswith(f"job {job.job_id}: queued\n")


def test_a_document_called_by_a_number_comes_before_ids_that_begin_so(
    gistmill: Gistmill, submitted: list[JobSummary]
) -> None:
    digit = str(submitted[2].job_id)[0]
    Path("rows.jsonl").write_text(json.dumps({"id": digit, "text": "Words and more words. " * 9}))
    gistmill("submit", "rows.jsonl", "--id-column", "id", "--batch", "pile")

    assert gistmill("status", digit, "--json").json["source"] == digit


def test_a_beginning_that_several_share_lists_them(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    gistmill("submit", "a.md", "--batch", "pillow")

    done = gistmill("status", "pil")

    assert done.code == 2
    assert "'pil' could mean pile, pillow; give more of its name or id" in done.err


@pytest.mark.parametrize("name", ["plie", "ffffffff-ffff", "5811x7d6", "rest/a.md"])
def test_an_unknown_name_gets_the_nearest(name: str, gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    Path("rows.jsonl").write_text(json.dumps({"id": "the/rest/a.md", "text": "Words and more words. " * 9}))
    gistmill("submit", "rows.jsonl", "--id-column", "id", "--batch", "pile")

    done = gistmill("status", name)

    assert done.code == 2
    assert f"there is no batch or job {name!r}; the nearest " in done.err


@pytest.mark.parametrize(
    "command", [["status"], ["cancel"], ["retry"], ["show"], ["results"], ["evaluate"], ["report"], ["watch"]]
)
@pytest.mark.parametrize("name", ["", " "])
def test_a_blank_name_means_nothing(
    command: list[str], name: str, gistmill: Gistmill, submitted: list[JobSummary]
) -> None:
    done = gistmill(*command, name)

    assert (done.code, "a blank name means no batch and no job" in done.err) == (2, True)


@pytest.mark.parametrize("command", [["watch"], ["report"], ["compare", "pile"]])
def test_a_job_is_not_taken_for_its_batch(command: list[str], gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill(*command, "a.md")

    assert (done.code, "'a.md' is a job of batch pile; name the batch" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["100%_", "'; --", "é" * 300, "-", "0-0-0-0-0-0"])
def test_a_name_that_can_be_none_finds_nothing(name: str, gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill("status", "--", name)

    assert done.code == 2
    assert f"there is no batch or job {name!r}" in done.err


def test_partial_jobs_say_what_is_missing(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    job = submitted[0].job_id
    driver.plan(job, strategy="stuff", chunks=1)
    driver.close(job, strategy="stuff", reason="the end is cut")

    done = gistmill("status", "pile")

    assert "partial  a.md: the whole document, step stuff 0.0: the end is cut" in done.out
    # Nothing has failed, so that a plain retry would find nothing to do.
    assert "run what guards marked again with: gistmill retry pile --marked" in done.out


def test_a_batch_that_is_over_has_no_speed(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    for job in submitted:
        driver.run(job.job_id)

    assert gistmill("status", "pile", "--json").json["tokens_per_second"] is None


def test_a_database_without_tables_says_what_to_run(gistmill: Gistmill, cluster: Cluster) -> None:
    with cluster.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))

    done = gistmill("status")

    assert done.code == 1
    assert "has no Gistmill tables of this version; run `gistmill migrate`" in done.err
