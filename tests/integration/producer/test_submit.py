from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models.options import JobOptions
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.step import Step
from models.tables import Batch, Document, Job
from producer.intake import SubmissionRequest, find_next_position, store_block
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.conftest import Cluster
from tests.integration.conftest import Gistmill, read_jobs

TEXT = "A document says something. " * 20


def count_rows(cluster: Cluster) -> dict[str, int]:
    with Session(cluster.engine) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Batch, Document, Job, Step)
        }


def count_messages(cluster: Cluster) -> int:
    broker = redis.Redis.from_url(cluster.broker_url, decode_responses=True)
    lists = [key for key in broker.keys("plan.*") if broker.type(key) == "list"]
    count = sum(broker.llen(key) for key in lists)
    broker.close()
    return count


def submit_sources(cluster: Cluster, names: list[str], *, batch: str = "x") -> SubmissionResult:
    result = SubmissionResult()
    outbox_publisher = OutboxPublisher(cluster.engine, CeleryPublisher(make_celery(cluster.broker_url)))
    submission = Submission(cluster.engine, outbox_publisher, SubmissionRequest(batch, JobOptions()), result)
    return submission.run(Source(name, f"{name}: {TEXT}", "text") for name in names)


def test_a_document_a_job_and_its_plan_step_are_stored_and_announced(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text("# A title\n\n" + TEXT)

    done = gistmill("submit", "a.md", "--style", "news", "--batch", "b", "--priority", "high")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("batch b: 1 job submitted\n")
    assert count_rows(cluster) == {"batches": 1, "documents": 1, "jobs": 1, "steps": 1}
    assert count_messages(cluster) == 1
    [message] = [json.loads(one) for one in redis.Redis.from_url(cluster.broker_url).lrange("plan.default", 0, -1)]
    assert message["headers"]["argsrepr"].startswith("a.md, batch b, step ")
    [job] = read_jobs(cluster)
    assert (job.source, job.title, job.style, job.state, job.priority) == ("a.md", "A title", "news", "queued", 0)


def test_the_same_submission_gives_the_same_jobs_and_says_so(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text(TEXT)
    Path("b.md").write_text(TEXT)
    first = gistmill("submit", "a.md", "b.md", "--json").json

    again = gistmill("submit", "a.md", "b.md")

    assert again.out.startswith(f"batch {first['batch']}: 2 jobs already there, nothing new\n")
    assert count_rows(cluster) == {"batches": 1, "documents": 1, "jobs": 2, "steps": 2}
    assert count_messages(cluster) == 2


def test_other_options_are_other_jobs_of_the_same_document(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text(TEXT)

    gistmill("submit", "a.md", "--batch", "b")
    gistmill("submit", "a.md", "--batch", "b", "--strategy", "refine")

    assert count_rows(cluster) == {"batches": 1, "documents": 1, "jobs": 2, "steps": 2}


def test_an_edited_document_is_a_new_job_in_the_same_batch(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text(TEXT)
    first = gistmill("submit", "a.md", "--json").json
    Path("a.md").write_text(TEXT + "And more.")

    second = gistmill("submit", "a.md", "--json").json

    assert (second["batch"], second["new"], second["existing"]) == (first["batch"], 1, 0)


def test_fifty_submissions_at_once_give_one_set_of_jobs(cluster: Cluster) -> None:
    names = [f"document {index}" for index in range(30)]
    start = threading.Barrier(50)

    def submit(number: int) -> SubmissionResult:
        start.wait()
        return submit_sources(cluster, sorted(names, key=lambda name: hash((number, name))))

    with ThreadPoolExecutor(50) as threads:
        tallies = list(threads.map(submit, range(50)))

    assert count_rows(cluster) == {"batches": 1, "documents": 30, "jobs": 30, "steps": 30}
    assert sum(result.created for result in tallies) == 30
    assert all(result.accepted == 30 for result in tallies)
    assert count_messages(cluster) == 30


def test_jobs_and_their_messages_are_in_the_order_of_the_input(cluster: Cluster) -> None:
    names = [f"document {index}" for index in range(30)]
    request = SubmissionRequest("x", JobOptions())
    with Session(cluster.engine) as session, session.begin():
        sources = [Source(name, f"{name}: {TEXT}", "text") for name in names]
        step_messages = store_block(session, request, sources, position=5)
        assert find_next_position(session, request.batch_id) == 35
        assert find_next_position(session, uuid4()) == 0

    assert [job.source for job in read_jobs(cluster, in_order=True)] == names
    with Session(cluster.engine) as session:
        positions = dict(session.execute(select(Step.id, Job.position).join(Job, Job.id == Step.job_id)).all())
    assert [positions[step_message.step_id] for step_message in step_messages] == list(range(5, 35))


def test_results_are_in_the_order_of_the_input_with_the_latest_batch_first(gistmill: Gistmill) -> None:
    rows = [{"text": f"{number}: {TEXT}"} for number in range(1, 12)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for batch in ("one", "two"):
        gistmill("submit", "rows.jsonl", "--batch", batch)

    for command in (("results", "--json"), ("export", "--format", "jsonl")):
        printed = gistmill(*command).out
        jobs = json.loads(printed) if command[0] == "results" else list(map(json.loads, printed.splitlines()))
        names = [f"rows.jsonl#row {number}" for number in range(1, 12)]
        assert [(job["batch"], job["source"]) for job in jobs] == [
            (batch, name) for batch in ("two", "one") for name in names
        ]
    assert [job["batch"] for job in gistmill("results", "--limit", "2", "--json").json] == ["two", "two"]


def test_duplicates_are_dropped_and_counted(gistmill: Gistmill, shared_data: Path) -> None:
    table = shared_data / "kaggle_winning_solutions_methods.csv"

    done = gistmill("submit", str(table), "--text-column", "writeup", "--id-column", "link", "--json")

    assert (done.code, done.json["new"], done.json["duplicates"], done.json["problems"]) == (0, 30, 3, [])


def test_what_cannot_be_read_is_named_and_the_rest_goes_through(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("good.md").write_text(TEXT)
    Path("empty.md").touch()

    done = gistmill("submit", "good.md", "empty.md", "missing.md")

    assert done.code == 3
    assert "gistmill: warning: empty.md is empty" in done.err
    assert "gistmill: warning: missing.md does not exist" in done.err
    assert "2 sources could not be read" in done.out
    assert count_rows(cluster)["jobs"] == 1


def test_files_of_a_folder_that_cannot_be_read_count_where_nothing_or_all_must_be_read(gistmill: Gistmill) -> None:
    Path("mixed").mkdir()
    Path("mixed/old.doc").write_bytes(b"\xd0\xcf\x11\xe0 old")
    assert gistmill("submit", "mixed").code == 2
    assert gistmill("submit", "mixed", "--dry-run").code == 2

    Path("mixed/good.md").write_text("# Good\n\nThe pump runs again.\n")
    refused = gistmill("submit", "mixed", "--strict")
    assert refused.code != 0
    assert "1 source cannot be read (--strict)" in refused.err
    assert gistmill("submit", "mixed").code == 0


def test_strict_submits_all_or_nothing(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("good.md").write_text(TEXT)
    Path("empty.md").touch()

    refused = gistmill("submit", "good.md", "empty.md", "--strict")

    assert refused.code == 2
    assert "empty.md is empty" in refused.err
    assert "nothing was submitted: 1 source cannot be read" in refused.err
    assert count_rows(cluster) == {"batches": 0, "documents": 0, "jobs": 0, "steps": 0}
    assert gistmill("submit", "good.md", "--strict").code == 0


def test_if_nothing_can_be_read_the_exit_code_is_2(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("empty.md").touch()

    assert gistmill("submit", "empty.md").code == 2
    assert count_rows(cluster)["batches"] == 0


def test_a_dry_run_says_what_would_be_submitted_and_writes_nothing(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text("# A title\n\n" + TEXT)

    done = gistmill("submit", "a.md", "--dry-run")

    assert done.code == 0
    assert "A title" in done.out
    assert "1 job would go into batch a-" in done.out
    assert count_rows(cluster)["jobs"] == 0


def test_without_a_broker_the_jobs_are_stored_and_wait_to_be_sent(
    gistmill: Gistmill, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.md").write_text(TEXT)
    monkeypatch.setenv("GISTMILL_BROKER_URL", "redis://127.0.0.1:1/0")

    done = gistmill("submit", "a.md")

    assert done.code == 0
    assert "gistmill: warning: the broker does not answer" in done.err
    with Session(cluster.engine) as session:
        assert session.scalars(select(Step.dispatched_at)).all() == [None]


def test_without_a_database_one_sentence_says_where_and_what_to_run(
    gistmill: Gistmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.md").write_text(TEXT)
    monkeypatch.setenv("GISTMILL_DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/db")

    done = gistmill("submit", "a.md")

    assert done.code == 1
    assert "Postgres does not answer at postgresql://user:***@127.0.0.1:1/db" in done.err
    assert "nothing was submitted yet" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_an_interruption_says_what_is_in_and_running_again_completes_it(cluster: Cluster) -> None:
    names = [f"document {index}" for index in range(450)]
    result = SubmissionResult()

    def interrupted_sources() -> object:
        yield from (Source(name, f"{name}: {TEXT}", "text") for name in names[:420])
        raise KeyboardInterrupt

    outbox_publisher = OutboxPublisher(cluster.engine, CeleryPublisher(make_celery(cluster.broker_url)))
    with pytest.raises(KeyboardInterrupt):
        Submission(cluster.engine, outbox_publisher, SubmissionRequest("x", JobOptions()), result).run(
            interrupted_sources()
        )  # type: ignore[arg-type]

    assert result.created == count_rows(cluster)["jobs"] == 400
    completed = submit_sources(cluster, names)
    assert (completed.created, completed.existing) == (50, 400)


def test_a_null_byte_or_an_instruction_in_a_name_changes_nothing(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("rows.jsonl").write_text(json.dumps({"id": "x\0'; DROP TABLE jobs; --", "text": TEXT}))

    assert gistmill("submit", "rows.jsonl", "--id-column", "id").code == 0
    assert count_rows(cluster)["jobs"] == 1


def test_the_options_are_kept_with_the_batch(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("a.md").write_text(TEXT)

    gistmill("submit", "a.md", "--temperature", "0.5", "--batch", "b")

    with cluster.engine.connect() as connection:
        assert connection.execute(text("SELECT options FROM batches")).scalar_one() == {
            "paths": ["a.md"],
            "temperature": 0.5,
        }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["a.md", "--batch", " "], "--batch needs a name that is not blank"), ([""], "'' is blank, which is no path")],
)
def test_a_blank_name_or_path_is_wrong_usage(
    arguments: list[str], message: str, gistmill: Gistmill, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("Words and more words.")

    done = gistmill("submit", *arguments)

    assert (done.code, message in done.err, read_jobs(cluster)) == (2, True, [])
