from __future__ import annotations

from pathlib import Path
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import step_updates
from models.step import AttemptOutcome, Step
from models.tables import Document
from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.integration.producer.evidence import DOUBTED, add_evidence
from tests.sentences import SENTENCES, SUMMARY, make_sentence


def test_the_summary_comes_first_then_the_tree_of_its_steps(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, words="What it says.")

    lines = gistmill("show", str(job)).out.splitlines()

    assert lines[0] == "What it says."
    tree = lines[lines.index("reduce  100 -> 20 tokens  2.0 s  cpu@test") :]
    assert tree[1] == "├─ map 0  100 -> 20 tokens  2.0 s  cpu@test"
    assert "chunk 0: characters 0-" in tree[2]
    assert "50 tokens, Part 0" in tree[2]
    assert tree[5] == "└─ map 2  100 -> 20 tokens  2.0 s  cpu@test"


def test_a_refine_chain_is_listed_from_its_beginning(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, strategy="refine", chunks=4)

    lines = gistmill("show", str(job)).out.splitlines()

    assert [line.split("  ")[0] for line in lines if line.startswith("refine ")] == [f"refine {i}" for i in range(4)]


def test_full_prints_what_every_step_wrote(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    job = submitted[0].job_id
    driver.run(job, words="What it says.")

    assert "> part 1 of What it says." in gistmill("show", str(job), "--full").out
    assert "> part 1" not in gistmill("show", str(job)).out


def test_guards_retries_and_cache_hits_are_shown(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job)
    claim = driver.claim(job, "map", 1)
    with Session(cluster.engine) as session, session.begin():
        step_updates.release_step(
            session, claim, outcome=AttemptOutcome.ERROR, error={"message": "the device was full"}
        )
    driver.finish_maps(job)
    driver.close(job)
    guard = {"name": "echo", "words": "it repeats the prompt", "try": 1, "stands": False}
    with Session(cluster.engine) as session, session.begin():
        maps = update(Step).where(Step.job_id == job, Step.kind == "map")
        session.execute(maps.where(Step.index == 0).values(guards=[guard]))
        session.execute(maps.where(Step.index == 2).values(cached_from=claim.step_id, finish_reason="length"))

    shown = gistmill("show", str(job)).out

    assert "guard echo: it repeats the prompt (tried again)" in shown
    assert "try 1: error: the device was full" in shown
    assert "from the cache  cut at the limit" in shown
    assert "1 from the cache, 1 retry" in shown


def test_everything_is_there_as_json(gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]) -> None:
    job = submitted[0].job_id
    driver.run(job)

    shown = gistmill("show", str(job), "--json").json

    assert shown["job"]["summary"] == "a summary"
    assert [step["kind"] for step in shown["steps"]] == ["plan", "map", "map", "map", "reduce"]
    assert shown["steps"][-1]["inputs"] == [{"kind": "map", "level": 0, "index": index} for index in range(3)]
    assert "".join(chunk["text"] for chunk in shown["chunks"]).startswith("# Title a")


def test_a_document_cannot_control_the_terminal(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, words="\x1b]0;owned\x07\x1b[2J[red]text[/red]")

    shown = gistmill("show", str(job), "--full").out

    assert "\x1b" not in shown
    assert "[red]text[/red]" in shown


def test_sentences_are_marked_and_their_passages_stand_below(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, words=SUMMARY, sentences=SENTENCES)

    shown = gistmill("show", str(job))

    assert shown.out.startswith(
        "It says much. [1] Document a says something. [2] Boris saved 70 people. [3] It goes on.\n"
        "\n"
        "[1] verified\n"
        "    “Title a”  (Part 0)\n"
        "    “Document a says something.”  (Part 0)\n"
        "[2] quoted\n"
        "    “Document a says something.”  (Part 0)\n"
        "[3] flagged: 70 is nowhere in the document\n"
        "\n"
        f"job {job}: succeeded\n"
    )
    assert "sentences  1 sentence verified, 1 quoted, 1 flagged\n" in shown.out
    assert "\nreduce  100 -> 20 tokens  2.0 s  cpu@test: 1 verified, 1 quoted, 1 flagged, 1 unchecked\n" in shown.out
    as_json = gistmill("show", str(job), "--json").json
    assert [sentence["kind"] for sentence in as_json["sentences"]] == ["verified", "quoted", "flagged", "unchecked"]
    assert as_json["sentences"][0]["citations"][0]["headings"] == ["Part 0"]


def test_the_tree_counts_the_verdicts_of_every_step(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job)
    for index in range(3):
        driver.finish(driver.claim(job, "map", index), output=SUMMARY, sentences=SENTENCES[:index])
    driver.close(job)

    lines = gistmill("show", str(job)).out.splitlines()

    maps = [line for line in lines if " map " in line]
    assert [line.partition("cpu@test")[2] for line in maps] == ["", ": 1 verified", ": 1 verified, 1 quoted"]


def test_a_passage_and_a_reason_cannot_control_the_terminal(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    attack = "\x1b]0;owned\x07\x9b31m\u202etxt.exe"
    Path("attack.md").write_text("# Title\n\n" + f"Document {attack} says something. " * 9)
    gistmill("submit", "attack.md", "--batch", "attack", "--strategy", "stuff")
    job = gistmill("results", "attack", "--json").json[0]["job_id"]
    flagged = make_sentence("It says.", "It says.", "flagged", (9, 60), reason=attack)
    driver.run(UUID(job), strategy="stuff", chunks=1, words="It says.", sentences=[flagged])

    shown = gistmill("show", job).out

    assert "[1] flagged: " in shown
    assert "says something" in shown
    assert set(shown) & set("\x1b\x07\x9b\u202e") == set()


def test_a_batch_of_one_job_stands_for_it(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    gistmill("submit", "a.md", "--batch", "single")

    assert "source  a.md" in gistmill("show", "single").out


def test_a_batch_of_several_names_some_of_its_jobs(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill("show", "pile")

    assert done.code == 2
    assert "pile is a batch; name a job, such as" in done.err
    assert any(str(job.job_id)[:8] in done.err for job in submitted)


def test_what_a_check_found_is_shown_with_both_answers_and_the_reasons(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.run(job, words=DOUBTED)
    with Session(cluster.engine) as session, session.begin():
        add_evidence(session, job)

    shown = gistmill("show", str(job)).out

    assert "needs review  its least supported sentence has a support of 0.200, below the gate of 0.5" in shown
    assert "MARKED  Boris saved 70 people.\n        “70”: only the summary has it (there: 40)\n" in shown
    assert "asked   Boris saved ____ people.\n        the summary: 70\n        the source: 40  (F1 0.00)\n" in shown
    assert gistmill("show", str(job), "--json").json["evaluations"][0]["evidence"]["sentences"][1]["is_marked"]


def test_parts_of_the_document_that_were_not_read_are_named(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    notes = "holds pictures without text on page 2, which are left out"
    with Session(cluster.engine) as session, session.begin():
        session.execute(
            update(Document)
            .where(Document.title == "Title a")
            .values(details=Document.details.op("||")({"notes": notes}))
        )

    [job] = [job for job in submitted if job.title == "Title a"]
    assert f"the document  {notes}" in " ".join(gistmill("show", str(job.job_id)).out.split(" "))
    assert gistmill("show", str(job.job_id), "--json").json["notes"] == notes
