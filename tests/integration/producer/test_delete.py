"""Deletion: nothing of the text is left anywhere, nothing that another job needs goes, and running work goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

import gistmill as public
import producer.digest
from models.deletion import DeletionRequest, begin_deletion, carry_out
from models.job import Job
from models.publisher import OutboxPublisher
from models.tables import Batch, Deletion, DeletionKind, Document
from models.views import JobSummary
from producer.errors import SubmissionError
from producer.intake import SubmissionRequest, batch_id
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.conftest import Cluster, wait_until
from tests.dumps import dump_database
from tests.fake_engine import FakeGenerator
from tests.hand_driven import Bell, Driver, HandDrivenWorker
from tests.integration.conftest import Gistmill, read_jobs
from tests.jobs import section_options
from tests.traces import find_in_tables, list_tables
from workers.execution.reclaim import Reclaimer

# Stands in the texts of the documents that are deleted, and in what a worker writes about them.
SECRET = "Zanzibar"
# Tables that hold no text and no name of a document: numbers, and facts of the cluster.
TEXTLESS = {
    "alembic_version",
    "cached_results",
    "citations",
    "cluster_facts",
    "deletions",
    "digest_parts",
    "weights",
    "workers",
}
# Texts in the other columns that can hold one, as errors, checks and `gistmill serve` leave them.
PLANTED = (
    """UPDATE chunks SET headings = '["Zanzibar"]'""",
    """UPDATE step_attempts SET error = '{"message": "Zanzibar"}'""",
    "UPDATE sentences SET kind = 'flagged', reason = 'no mention of Zanzibar'",
    """INSERT INTO evaluations (job_id, metric, value, evidence)
    SELECT id, 'consistency', 1, '{"question": "Where is Zanzibar?"}' FROM jobs""",
    """INSERT INTO webhooks (id, batch_id, url, state, error)
    SELECT id, id, 'https://zanzibar.example', 'failed', 'no answer' FROM batches""",
    """INSERT INTO files (id, purpose, filename, bytes, batch_id)
    SELECT id, 'batch_output', 'Zanzibar.jsonl', 8, id FROM batches""",
    """INSERT INTO files (id, purpose, filename, bytes)
    SELECT gen_random_uuid(), 'batch', name, 8 FROM batches""",
    "INSERT INTO file_parts (file_id, index, data) SELECT id, 0, 'Zanzibar' FROM files WHERE purpose = 'batch'",
    """INSERT INTO chat_batches (id, input_file, endpoint, completion_window, labels, status, expires_at)
    SELECT batches.id, files.id, '/v1', '24h', '{"about": "Zanzibar"}', 'completed', now()
    FROM batches JOIN files ON files.filename = batches.name""",
    """INSERT INTO idempotency_keys (key, request, answer)
    SELECT id, '', jsonb_build_object('id', id, 'name', 'Zanzibar') FROM batches""",
)


def count_rows(cluster: Cluster, table: str, condition: str = "true") -> int:
    with cluster.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table} WHERE {condition}")).scalar_one())


def find_secret(engine: Engine) -> list[str]:
    """Return the tables of which any row holds the secret in any column."""
    return list(find_in_tables(engine, f"({SECRET})"))


@pytest.fixture
def secret(gistmill: Gistmill, cluster: Cluster, driver: Driver, tmp_path: Path) -> list[JobSummary]:
    """Two summarized jobs about the secret in batch "secret", beside two jobs in batch "other"."""
    for name in ("one", "two"):
        words = f"# {SECRET} {name}\n\n" + f"Document {name} says that {SECRET} is an island. " * 30
        (tmp_path / f"{SECRET}-{name}.md").write_text(words)
    (tmp_path / "three.md").write_text("# Plain\n\n" + "Nothing special is said in this document. " * 30)
    files = [f"{SECRET}-{name}.md" for name in ("one", "two")]
    assert gistmill("submit", *files, "--batch", "secret").code == 0
    assert gistmill("submit", "three.md", "--batch", "other").code == 0
    jobs = [job for job in read_jobs(cluster) if job.batch == "secret"]
    for job in jobs:
        sentence = {"start": 0, "end": 8, "kind": "verified", "score": 0.9, "reason": None, "spans": [[0, 5]]}
        driver.run(job.job_id, words=f"{SECRET} is an island.", sentences=[sentence])
    return jobs


@pytest.mark.usefixtures("secret")
def test_no_table_and_no_dump_holds_the_text_of_a_deleted_batch(gistmill: Gistmill, cluster: Cluster) -> None:
    assert {"documents", "jobs", "steps"} <= set(find_secret(cluster.engine))

    done = gistmill("delete", "secret", "--yes")

    assert (done.code, done.out) == (0, "2 jobs, 10 steps, 2 documents deleted\n")
    assert find_secret(cluster.engine) == []
    assert SECRET not in dump_database(cluster.database_url)
    assert [job.batch for job in read_jobs(cluster)] == ["other"]
    assert count_rows(cluster, "batches") == 1
    # A batch that is gone is unknown, and no error of the program.
    assert gistmill("status", "secret").code == 2


@pytest.mark.usefixtures("secret")
def test_no_table_that_can_hold_a_text_keeps_it(gistmill: Gistmill, cluster: Cluster) -> None:
    with cluster.engine.begin() as transaction:
        for statement in PLANTED:
            transaction.execute(text(statement))
    # A new table must be planted, or be known to hold no text.
    assert set(find_secret(cluster.engine)) == list_tables(cluster.engine) - TEXTLESS

    for batch in ("secret", "other"):
        gistmill("delete", batch, "--yes")

    assert find_secret(cluster.engine) == []


@pytest.mark.usefixtures("secret")
def test_a_row_without_any_text_says_what_was_deleted_when_and_by_whom(gistmill: Gistmill, cluster: Cluster) -> None:
    gistmill("delete", "secret", "--yes")

    with Session(cluster.engine) as session:
        row = session.scalars(select(Deletion)).one()
    assert (row.kind, row.jobs, row.documents) == ("batch", 2, 2)
    assert "@" in row.requested_by
    assert row.database_role == "gistmill"
    assert row.finished_at is not None


def test_a_dry_run_says_what_would_go_and_changes_nothing(
    gistmill: Gistmill, cluster: Cluster, secret: list[JobSummary]
) -> None:
    before = dump_database(cluster.database_url, "--restrict-key=x")

    done = gistmill("delete", "secret", "--dry-run")

    with Session(cluster.engine) as session:
        hashes = [job.document_sha256 for job in secret]
        characters = sum(session.scalars(select(Document.characters).where(Document.sha256.in_(hashes))))
    assert done.out == f"would delete 2 jobs, 10 steps, 2 documents of {characters:,} characters\n"
    assert dump_database(cluster.database_url, "--restrict-key=x") == before


@pytest.mark.usefixtures("secret")
def test_without_a_terminal_and_without_yes_nothing_is_deleted(gistmill: Gistmill, cluster: Cluster) -> None:
    done = gistmill("delete", "secret")

    assert done.code == 2
    assert "--yes" in done.err
    assert count_rows(cluster, "jobs") == 3


@pytest.mark.parametrize("arguments", [(), ("secret", "--older-than", "1d"), ("--expired", "--document", "a" * 64)])
def test_one_choice_must_be_made(gistmill: Gistmill, arguments: tuple[str, ...]) -> None:
    done = gistmill("delete", *arguments, "--yes")

    assert done.code == 2
    assert "give one of" in done.err


def test_a_document_that_another_job_needs_stays(
    gistmill: Gistmill, cluster: Cluster, secret: list[JobSummary]
) -> None:
    gistmill("submit", f"{SECRET}-one.md", "--batch", "again")
    preview = gistmill("delete", "secret", "--dry-run").out

    done = gistmill("delete", "secret", "--yes")

    assert preview.endswith("; 1 document stays, because other jobs need it\n")
    assert done.out == "2 jobs, 10 steps, 1 document deleted\n"
    with Session(cluster.engine) as session:
        kept = set(session.scalars(select(Document.sha256)))
    [one] = [job.document_sha256 for job in secret if job.source.endswith("one.md")]
    assert one in kept
    assert len(kept) == 2


def test_a_document_goes_with_all_its_jobs_in_all_batches(
    gistmill: Gistmill, cluster: Cluster, secret: list[JobSummary]
) -> None:
    gistmill("submit", f"{SECRET}-one.md", "--batch", "again")
    [one] = [job for job in secret if job.source.endswith("one.md")]
    assert one.document_sha256 in gistmill("show", str(one.job_id)).out

    done = gistmill("delete", "--document", one.document_sha256[:12], "--yes")

    assert (done.code, done.out) == (0, "2 jobs, 6 steps, 1 document deleted\n")
    assert sorted(Path(job.source).name for job in read_jobs(cluster)) == [f"{SECRET}-two.md", "three.md"]


@pytest.mark.parametrize("given", ["zz", "a1b2", "f" * 64])
def test_an_unknown_document_is_said(gistmill: Gistmill, given: str) -> None:
    done = gistmill("delete", "--document", given, "--yes")

    assert done.code == 2
    assert "SHA-256" in done.err


def test_only_jobs_that_ended_before_are_deleted_by_age(
    gistmill: Gistmill, cluster: Cluster, secret: list[JobSummary]
) -> None:
    with Session(cluster.engine) as session, session.begin():
        old = update(Job).where(Job.id == secret[0].job_id)
        session.execute(old.values(finished_at=Job.finished_at - timedelta(days=100)))

    done = gistmill("delete", "--older-than", "90d", "--yes")

    assert done.out.startswith("1 job, ")
    assert secret[0].job_id not in [job.job_id for job in read_jobs(cluster)]
    assert len(read_jobs(cluster)) == 2


def test_a_moment_that_is_to_come_is_refused(gistmill: Gistmill) -> None:
    done = gistmill("delete", "--older-than", "2999-01-01", "--yes")

    assert done.code == 2
    assert "still to come" in done.err


def test_jobs_are_kept_as_long_as_their_batch_says_or_else_the_cluster(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, days in (("short", ("--keep-days", "5")), ("long", ("--keep-days", "50")), ("default", ())):
        (tmp_path / f"{name}.md").write_text(f"The document {name} has a few words. " * 30)
        assert gistmill("submit", f"{name}.md", "--batch", name, *days).code == 0
    for job in read_jobs(cluster):
        driver.run(job.job_id)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).values(finished_at=Job.finished_at - timedelta(days=20)))
        session.execute(update(Batch).values(created_at=Batch.created_at - timedelta(days=20)))

    assert gistmill("delete", "--expired").out.startswith("1 job, ")
    assert sorted(job.batch for job in read_jobs(cluster)) == ["default", "long"]
    monkeypatch.setenv("GISTMILL_RETENTION_DAYS", "10")
    assert gistmill("delete", "--expired").out.startswith("1 job, ")
    assert [job.batch for job in read_jobs(cluster)] == ["long"]
    assert count_rows(cluster, "batches") == 1
    assert gistmill("delete", "--expired").out == "nothing is kept longer than it should be\n"


def test_a_batch_keeps_its_number_of_days(gistmill: Gistmill, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("A few words. " * 30)
    gistmill("submit", "a.md", "--batch", "pile", "--keep-days", "5")

    done = gistmill("submit", "a.md", "--batch", "pile", "--keep-days", "7")

    assert done.code != 0
    assert "batch pile keeps its jobs 5 days already" in done.err


def test_open_jobs_are_never_deleted_by_age(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.plan(submitted[0].job_id)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).values(created_at=Job.created_at - timedelta(days=900)))

    assert gistmill("delete", "--older-than", "1d", "--yes").out.startswith("0 jobs, ")
    assert len(read_jobs(cluster)) == 4


def test_a_step_of_a_deleted_job_that_ends_writes_nothing(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]
) -> None:
    job = submitted[0].job_id
    driver.plan(job)
    map_step, last = driver.claim(job, "map", 0), driver.claim(job, "map", 1)

    gistmill("delete", str(job), "--yes")

    driver.finish(map_step, output=f"{SECRET} in a map step")
    driver.executor.retry(last, RuntimeError("out of memory"))
    driver.executor.fail(last, RuntimeError("out of memory"))
    assert find_secret(cluster.engine) == []
    assert count_rows(cluster, "steps", f"job_id = '{job}'") == 0


def test_a_generation_for_a_deleted_job_is_stopped(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    generator = FakeGenerator()
    worker = HandDrivenWorker(cluster.engine, generator)
    begun, gone = threading.Event(), threading.Event()

    def wait_for_deletion(*_: object, cancelled: threading.Event, **__: object) -> None:
        begun.set()
        assert cancelled.wait(60)
        gone.set()

    worker.leases.start()
    try:
        _hold_generation(generator, wait_for_deletion)
        with Session(cluster.engine) as session:
            steps = {row.job_id: row.id for row in session.execute(text("SELECT job_id, id FROM steps"))}
        worker.run_step(steps[submitted[0].job_id])
        [message] = [message for message in worker.bell.waiting if message.kind != "plan"][:1]
        runner = threading.Thread(target=worker.run_step, args=(message.step_id,))
        runner.start()
        assert begun.wait(60)
        gistmill("delete", "pile", "--yes")
        runner.join(60)
        assert gone.is_set()
        assert not runner.is_alive()
    finally:
        worker.leases.close()
    assert count_rows(cluster, "steps") == 0


def _hold_generation(generator: FakeGenerator, hold: Callable[..., None]) -> None:
    generate = generator.generate

    def held(*args: object, **kwargs: object) -> object:
        hold(*args, **kwargs)
        return generate(*args, **kwargs)  # type: ignore[arg-type]

    generator.generate = held  # type: ignore[method-assign, assignment]


def test_a_plan_step_whose_document_is_gone_ends_quietly(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    read = worker.executor._runner._store.read_document

    def read_late(claim: object) -> object:
        gistmill("delete", "pile", "--yes")
        return read(claim)  # type: ignore[arg-type]

    worker.executor._runner._store.read_document = read_late  # type: ignore[method-assign, assignment]
    with Session(cluster.engine) as session:
        step = session.execute(text("SELECT id FROM steps WHERE job_id = :job"), {"job": submitted[0].job_id})
        worker.run_step(step.scalar_one())
    assert worker.bell.waiting == []
    assert count_rows(cluster, "jobs") == 0


def test_what_was_deleted_can_be_submitted_again(
    gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]
) -> None:
    gistmill("delete", "pile", "--yes")

    assert gistmill("submit", "a.md", "b.md", "c.md", "d.md", "--batch", "pile").code == 0
    again = read_jobs(cluster)
    assert [job.job_id for job in again] == [job.job_id for job in submitted]
    assert {job.state for job in again} == {"queued"}


def begin(cluster: Cluster, kind: DeletionKind, subject: object) -> UUID:
    """Record a deletion whose process dies then."""
    with Session(cluster.engine) as session, session.begin():
        return begin_deletion(session, DeletionRequest(kind, str(subject)), by="someone")


def make_reclaimer(cluster: Cluster, **settings: Any) -> Reclaimer:
    """Return what every worker runs every few seconds."""
    return Reclaimer(
        cluster.engine, cluster.broker_url, Bell(), redispatch_seconds=30, restart_grace_seconds=0, **settings
    )


def test_a_worker_completes_a_deletion_whose_process_died(cluster: Cluster, submitted: list[JobSummary]) -> None:
    begin(cluster, DeletionKind.BATCH, submitted[0].batch_id)

    make_reclaimer(cluster).run_pass()

    assert count_rows(cluster, "deletions", "finished_at IS NOT NULL AND jobs = 4") == 1
    assert count_rows(cluster, "jobs") + count_rows(cluster, "documents") == 0


def test_a_worker_waits_for_no_process_that_deletes(cluster: Cluster, submitted: list[JobSummary]) -> None:
    deletion = begin(cluster, DeletionKind.BATCH, submitted[0].batch_id)
    with Session(cluster.engine) as session, session.begin():
        session.get_one(Deletion, deletion, with_for_update=True)

        make_reclaimer(cluster).run_pass()

        assert count_rows(cluster, "jobs") == 4


def test_a_worker_deletes_for_a_moment_between_its_other_work(
    cluster: Cluster, submitted: list[JobSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.deletion.BLOCK_JOBS", 1)
    monkeypatch.setattr("workers.execution.reclaim.DELETION_SECONDS", 0)
    begin(cluster, DeletionKind.BATCH, submitted[0].batch_id)
    reclaimer = make_reclaimer(cluster)
    left = []
    for _ in range(5):
        reclaimer.run_pass()
        left.append(count_rows(cluster, "jobs"))

    assert left == [3, 2, 1, 0, 0]
    assert count_rows(cluster, "deletions", "finished_at IS NULL") == 0


def test_workers_delete_what_is_kept_no_longer(cluster: Cluster, secret: list[JobSummary]) -> None:
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).values(finished_at=Job.finished_at - timedelta(days=20)))

    make_reclaimer(cluster, retention_days=10).run_pass()
    make_reclaimer(cluster, retention_days=10).run_pass()

    assert [job.job_id for job in read_jobs(cluster) if job in secret] == []
    assert count_rows(cluster, "deletions") == 1


@pytest.mark.parametrize("chosen", ["job", "document"])
def test_a_batch_goes_with_its_last_job(
    gistmill: Gistmill, cluster: Cluster, secret: list[JobSummary], chosen: str
) -> None:
    for job in secret:
        by_document = ("--document", job.document_sha256)
        gistmill("delete", *(by_document if chosen == "document" else (str(job.job_id),)), "--yes")

    assert count_rows(cluster, "batches") == 1
    assert find_secret(cluster.engine) == []


def test_a_batch_that_stays_forgets_the_paths_of_its_files(
    gistmill: Gistmill, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / f"{SECRET}.md").write_text("Few words. " * 20)
    (tmp_path / "other.md").write_text("Other words. " * 20)
    gistmill("submit", f"{SECRET}.md", "other.md", "--batch", "pile", "--words", "50")
    [job] = [job for job in read_jobs(cluster) if SECRET in job.source]

    gistmill("delete", str(job.job_id), "--yes")

    assert find_secret(cluster.engine) == []
    assert count_rows(cluster, "batches", "options ->> 'words' = '50'") == 1


def test_submissions_and_deletions_of_the_same_documents_leave_whole_jobs(cluster: Cluster) -> None:
    sources = [Source(f"text {number}", f"A text of number {number}. " * 20, "text") for number in range(40)]
    is_over = threading.Event()
    failures: list[BaseException] = []

    def submit(name: str) -> None:
        request = SubmissionRequest(name, section_options())
        while not is_over.is_set():
            Submission(cluster.engine, OutboxPublisher(cluster.engine, Bell()), request, SubmissionResult()).run(
                sources
            )

    def delete(kind: DeletionKind, find_subject: Callable[[Session], str | None]) -> None:
        while not is_over.is_set():
            with Session(cluster.engine) as session, session.begin():
                subject = find_subject(session)
                if subject is None:
                    continue
                deletion = begin_deletion(session, DeletionRequest(kind, subject), by="someone")
            carry_out(cluster.engine, deletion)

    def find_batch(session: Session) -> str | None:
        found = session.scalar(select(Batch.id).where(Batch.name == "first"))
        return None if found is None else str(found)

    def guard(target: Callable[..., None], *arguments: object) -> None:
        try:
            target(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            failures.append(error)
            is_over.set()

    def find_document(session: Session) -> str | None:
        return session.scalar(select(Document.sha256).limit(1))

    work = [
        (submit, "first"),
        (submit, "second"),
        (delete, DeletionKind.BATCH, find_batch),
        (delete, DeletionKind.DOCUMENT, find_document),
    ]
    threads = [threading.Thread(target=guard, args=arguments) for arguments in work]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: is_over.is_set() or count_rows(cluster, "deletions", "jobs > 0") >= 15, "much is deleted")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    lonely = "NOT EXISTS (SELECT FROM jobs WHERE jobs.document_sha256 = documents.sha256)"
    planless = "NOT EXISTS (SELECT FROM steps WHERE steps.job_id = jobs.id AND steps.kind = 'plan')"
    assert count_rows(cluster, "documents", lonely) == 0
    assert count_rows(cluster, "jobs", planless) == 0


def test_a_program_deletes(gistmill: Gistmill, cluster: Cluster, submitted: list[JobSummary]) -> None:
    with public.connect() as client:
        assert client.preview_deletion("pile").jobs == 4
        assert client.delete(submitted[0].job_id).jobs == 1
        assert client.delete(older_than=timedelta(days=1)).jobs == 0
        assert client.batch("pile").delete().jobs == 3
        with pytest.raises(public.GistmillError, match="give one of"):
            client.delete()
    assert count_rows(cluster, "jobs") == 0


def test_an_unknown_deletion_is_nothing_to_carry_out(cluster: Cluster) -> None:
    carry_out(cluster.engine, uuid4())

    assert count_rows(cluster, "deletions") == 0


def make_digest(gistmill: Gistmill, driver: Driver, cluster: Cluster, batch: str) -> JobSummary:
    """Make a digest of a batch to its end, and return its job."""
    name = gistmill("digest", batch, "--json").json["batch"]
    [digest] = [job for job in read_jobs(cluster) if job.batch == name]
    driver.run(digest.job_id, chunks=1, strategy="stuff", words=f"{SECRET} in short.")
    return digest


@pytest.mark.parametrize("chosen", ["job", "batch", "document", "age"])
def test_a_digest_goes_with_any_job_whose_summary_it_holds(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, secret: list[JobSummary], chosen: str
) -> None:
    first = make_digest(gistmill, driver, cluster, "secret")
    make_digest(gistmill, driver, cluster, first.batch)
    with Session(cluster.engine) as session, session.begin():
        old = update(Job).where(Job.id == secret[0].job_id)
        session.execute(old.values(finished_at=Job.finished_at - timedelta(days=100)))
    choice = {
        "job": (str(secret[0].job_id),),
        "batch": ("secret",),
        "document": ("--document", secret[0].document_sha256),
        "age": ("--older-than", "90d"),
    }[chosen]
    jobs = 4 if chosen == "batch" else 3

    preview = gistmill("delete", *choice, "--dry-run").out
    done = gistmill("delete", *choice, "--yes")

    assert preview.startswith(f"would delete {jobs} jobs, ")
    assert "; 2 jobs of them are digests of the others" in preview
    assert done.out.startswith(f"{jobs} jobs, ")
    assert done.out.endswith(f"{jobs} documents deleted\n")
    assert {job.batch for job in read_jobs(cluster)} <= {"secret", "other"}
    assert count_rows(cluster, "digest_parts") == 0
    assert count_rows(cluster, "batches", "name LIKE '%digest%'") == 0


@pytest.mark.usefixtures("secret")
def test_the_documents_of_a_deleted_digest_stay(gistmill: Gistmill, cluster: Cluster, driver: Driver) -> None:
    digest = make_digest(gistmill, driver, cluster, "secret")

    assert gistmill("delete", digest.batch, "--yes").out == "1 job, 2 steps, 1 document deleted\n"
    assert [job.batch for job in read_jobs(cluster)].count("secret") == 2


@pytest.mark.usefixtures("secret")
def test_a_deletion_beside_a_digest_that_is_being_made_leaves_no_text(
    gistmill: Gistmill, cluster: Cluster, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = producer.digest.store_block

    def store_late(*arguments: Any, **named: Any) -> Any:
        monkeypatch.undo()
        request = DeletionRequest(DeletionKind.BATCH, str(batch_id("secret")))
        with Session(cluster.engine) as session, session.begin():
            deletion = begin_deletion(session, request, by="a test")
        carry_out(cluster.engine, deletion)
        return store(*arguments, **named)

    with public.connect(cluster.database_url, cluster.broker_url) as client:
        monkeypatch.setattr("producer.digest.store_block", store_late)
        with pytest.raises(SubmissionError, match="has no summary"):
            client.digest("secret")

    assert find_secret(cluster.engine) == []
