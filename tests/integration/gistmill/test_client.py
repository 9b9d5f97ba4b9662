"""The Python client against real servers and a worker process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pandas
import psycopg
import pytest
import redis
from celery import Celery, current_app
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import gistmill
from gistmill.client import Client
from gistmill.direct import open_cluster
from models import listing
from models.job import Job
from models.settings import Settings
from tests.conftest import Cluster, wait_until
from tests.fake_worker import describe_command
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.integration.gistmill.conftest import count_connections
from tests.processes import PATIENCE, run_server
from workers.local.home import Home

WORDS = "This document says something that nobody doubts."
# The order of a table, which an order of names would lose.
NAMES = [f"row {number}" for number in range(1, 13)]


def make_documents(names: list[str] = NAMES) -> list[gistmill.Document]:
    return [gistmill.Document(f"{WORDS} It is about {name}.", name=name) for name in names]


def count_jobs(cluster: Cluster) -> int:
    with Session(cluster.engine) as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def test_summaries_come_in_the_order_of_the_input(client: gistmill.Client, worker: None) -> None:
    batch = client.submit(make_documents(), name="pile").wait(timeout=PATIENCE)

    summaries = list(batch.summaries())

    assert [summary.source for summary in summaries] == NAMES
    assert {summary.state for summary in summaries} == {"succeeded"}
    assert all(summary.text and summary.sentences for summary in summaries)
    assert repr(summaries[0]).startswith("Summary(source='row 1', state='succeeded', text=")


def test_a_dataframe_goes_in_and_a_dataframe_comes_out(client: gistmill.Client, worker: None) -> None:
    frame = pandas.DataFrame({"key": [9, 10, 1], "body": [f"{WORDS} {number}." for number in range(3)]})

    summaries = client.submit(frame, text_column="body", id_column="key").wait(timeout=PATIENCE).summaries().to_pandas()

    assert summaries["source"].tolist() == ["9", "10", "1"]
    assert summaries["summary"].notna().all()
    assert summaries["position"].tolist() == [0, 1, 2]


def test_what_was_given_first_runs_first(cluster: Cluster, client: gistmill.Client, tmp_path: Path) -> None:
    batch = client.submit(make_documents(), strategy="stuff")
    # A worker with several slots takes several messages at once.
    settings = {"database_url": cluster.database_url, "broker_url": cluster.broker_url, "slots": "1"}
    with run_server(describe_command("-m", "tests.fake_worker", **settings), tmp_path / "worker.log"):
        batch.wait(timeout=PATIENCE)

    begun = "SELECT source FROM jobs JOIN steps ON job_id = jobs.id WHERE kind = 'plan' ORDER BY steps.started_at"
    with cluster.engine.connect() as connection:
        assert list(connection.execute(text(begun)).scalars()) == NAMES


def test_paths_texts_and_records_may_be_mixed(client: gistmill.Client, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(f"# A\n\n{WORDS}")
    given = [tmp_path / "a.md", gistmill.Document("<p>A page of few words.</p>"), {"text": "A record.", "id": 7}]

    batch = client.submit(iter(given), id_column="id")

    assert [summary.source for summary in batch.summaries()] == ["a.md", "document 2", "7"]
    assert (batch.new, batch.problems, len(batch.notes)) == (3, (), 1)


def test_the_same_documents_are_the_same_batch_and_jobs(client: gistmill.Client, cluster: Cluster) -> None:
    first, again = client.submit(make_documents()), client.submit(iter(make_documents()))

    assert (first.name, first.new, first.existing) == (again.name, 12, 0)
    assert (again.new, again.existing, count_jobs(cluster)) == (0, 12, 12)
    assert client.submit(make_documents(), words=50).name != first.name


def test_a_program_and_the_command_line_name_a_batch_alike(client: gistmill.Client, gistmill: Gistmill) -> None:
    Path("a.md").write_text(WORDS)

    batch = client.submit("a.md", strategy="refine", greedy=True)

    assert gistmill("submit", "a.md", "--strategy", "refine", "--greedy", "--json").json["batch"] == batch.name


def test_what_a_batch_gets_later_comes_after(client: gistmill.Client) -> None:
    for names in (["z", "y"], ["y", "b", "a"]):
        batch = client.submit(make_documents(names), name="grows")

    assert [summary.source for summary in batch.summaries()] == ["z", "y", "b", "a"]


def test_several_batches_come_with_the_latest_first_page_by_page(
    client: gistmill.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_JOBS", 2)
    for name in ("one", "two"):
        client.submit(make_documents(["c", "b", "a"]), name=name)

    listed = [(summary.job.batch, summary.source) for summary in client.summaries()]

    assert listed == [(batch, source) for batch in ("two", "one") for source in ("c", "b", "a")]
    assert [summary.source for summary in client.summaries(limit=5)] == ["c", "b", "a", "c", "b"]
    assert [summary.source for summary in client.summaries("one", status="queued", limit=2)] == ["c", "b"]
    assert list(client.summaries("one", status=["failed", "partial"])) == []


def test_a_slow_reader_holds_no_transaction_open(
    client: gistmill.Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_JOBS", 2)
    reader = iter(client.submit(make_documents()).summaries())
    assert next(reader).source == "row 1"

    with cluster.engine.connect() as connection:
        idle = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        )
        assert connection.execute(text(idle)).scalar_one() == 0
    assert len(list(reader)) == 11


def test_what_cannot_be_read_is_in_the_batch_and_is_warned_of(
    client: gistmill.Client, caplog: pytest.LogCaptureFixture
) -> None:
    batch = client.submit([gistmill.Document(WORDS), "missing.md", gistmill.Document(" "), gistmill.Document(WORDS)])

    assert [problem.message for problem in batch.problems] == [
        "missing.md does not exist; check the path.",
        "document 3 holds no visible text; give a document with text in it.",
    ]
    assert [(duplicate.name, duplicate.first_name) for duplicate in batch.duplicates] == [("document 4", "document 1")]
    warning = "2 sources could not be read; batch.problems has all: missing.md does not exist; check the path."
    assert caplog.record_tuples == [("gistmill", logging.WARNING, warning)]


def test_a_reader_of_the_events_is_told_all_and_nothing_is_warned_of(
    client: gistmill.Client, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[object] = []

    client.submit([gistmill.Document(WORDS), "missing.md"], on_read=events.append)

    assert [type(event).__name__ for event in events] == ["Source", "SourceProblem"]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("documents", "options", "message"),
    [
        ("missing.md", {}, "1 source could not be read; the first: missing.md does not exist; check the path"),
        ("A sentence that is no path.", {}, r"A text itself is given as gistmill.Document\(text\)"),
        ([], {}, "nothing was submitted: there is no document"),
        (42, {}, "a value of type int holds no documents; give paths, URLs"),
        (b"bytes", {}, "a value of type bytes holds no documents"),
        (pandas.DataFrame({"a": ["x"], "b": ["y"]}), {}, "give --text-column one of 'a', 'b'"),
        (make_documents(), {"name": " "}, "--batch needs a name that is not blank"),
        (make_documents(), {"name": "a\0"}, "cannot be stored as the name of a batch"),
        (make_documents(), {"id_column": "a\0"}, "option id_column holds NUL characters"),
        (["a\0.md"], {}, "because it holds a NUL character"),
        (make_documents(), {"priority": "urgent"}, "priority 'urgent' is not one of low, normal, high"),
        (make_documents(), {"style": "few-shot"}, r"style few-shot and examples \(--examples\) go together"),
        (make_documents(), {"temperature": 99}, "generation.temperature"),
        (make_documents(), {"limit": 0}, "--limit must be 1 or more, not 0"),
        (make_documents(), {"stile": "news"}, "there is no option 'stile'; the nearest is style"),
        ([gistmill.Document(WORDS), "missing.md"], {"strict": True}, r"1 source cannot be read \(--strict\)"),
    ],
)
def test_bad_input_raises_before_anything_is_stored(
    documents: object, options: dict[str, object], message: str, client: gistmill.Client, cluster: Cluster
) -> None:
    with pytest.raises(gistmill.GistmillError, match=message) as raised:
        client.submit(documents, **options)  # type: ignore[arg-type]

    assert raised.value.exit_code == 2
    assert count_jobs(cluster) == 0


@pytest.mark.parametrize(
    "values", [{"text": 42}, {"text": "t", "name": 7}, {"text": "t", "metadata": "m"}, {"text": "t", "format": "pdf"}]
)
def test_a_document_of_the_wrong_type_cannot_be_made(values: dict[str, object]) -> None:
    with pytest.raises(gistmill.SubmissionError):
        gistmill.Document(**values)  # type: ignore[arg-type]


def test_a_wait_that_is_too_short_raises_and_says_what_is_open(client: gistmill.Client) -> None:
    batch = client.submit(make_documents(), name="pile")

    with pytest.raises(
        TimeoutError, match=r"batch pile has not ended \(12 of 12 jobs are open\) after 0.1 s"
    ) as raised:
        batch.wait(timeout=0.1)
    assert isinstance(raised.value, gistmill.WaitTimeoutError)


def test_progress_is_reported_until_the_end(client: gistmill.Client, worker: None) -> None:
    seen: list[gistmill.Snapshot] = []

    batch = client.submit(make_documents()).wait(timeout=PATIENCE, on_progress=seen.append, interval=0.1)

    assert (seen[-1].progress.is_over, seen[-1].progress.succeeded) == (True, 12)
    assert batch.status().progress.jobs == 12


def test_an_outage_of_the_database_is_waited_through_and_warned_of_once(
    cluster: Cluster, home: Home, driver: Driver
) -> None:
    name = cluster.engine.url.database
    urls = {"database_url": cluster.database_url, "broker_url": cluster.broker_url}
    warnings: list[str] = []
    with psycopg.connect(home.postgres.url, autocommit=True) as admin:

        def restore(sentence: str) -> None:
            warnings.append(sentence)
            admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")

        def end(now: gistmill.Snapshot) -> None:
            if now.progress.open_jobs:
                driver.fail(job.id, "plan")
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        with Client(open_cluster(Settings(**urls), warn=restore)) as client:
            batch = client.submit(make_documents(["a"]))
            [job] = batch.summaries()
            assert batch.wait(timeout=PATIENCE, on_progress=end, interval=0.1).status().progress.failed == 1
    [warning] = warnings
    assert warning.startswith("Postgres does not answer (")


def test_a_batch_is_cancelled_and_retried(client: gistmill.Client) -> None:
    batch = client.submit(make_documents())

    assert (batch.cancel().ended, batch.cancel().already) == (12, 12)
    assert dict(client.retry(batch)) == {"restarted": 12}
    [first, *_] = batch.summaries()
    assert client.cancel(first.id).ended == 1
    assert client.cancel(batch.name).ended == 11


def test_a_job_is_shown_with_its_steps_and_two_batches_are_compared(client: gistmill.Client, worker: None) -> None:
    batches = [client.submit(make_documents(), strategy=strategy) for strategy in ("stuff", "refine")]
    for batch in batches:
        batch.wait(timeout=PATIENCE)
    [first, *_] = batches[0].summaries()

    assert [step.kind for step in client.show(first).steps] == ["plan", "stuff"]
    assert client.compare(*batches).documents == 12
    assert [progress.batch for progress in client.batches()] == [batch.name for batch in reversed(batches)]
    assert client.batch().name == batches[1].name
    with pytest.raises(gistmill.UnknownIdError, match="is a batch; name a job, such as"):
        client.show(batches[0])
    with pytest.raises(gistmill.UnknownIdError, match="there is no batch or job 'nothing'"):
        client.batch("nothing")


def test_documents_in_memory_are_planned_without_being_stored(
    client: gistmill.Client, cluster: Cluster, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(tiny_weights))
    with gistmill.connect(cluster.database_url, cluster.broker_url) as planning:
        [plan] = planning.plan([gistmill.Document(WORDS, name="a")], strategy="stuff")

    assert (plan.source, plan.strategy, plan.chunks, count_jobs(cluster)) == ("a", "stuff", 1, 0)


def test_the_end_of_a_client_closes_its_connections_and_it_says_so_when_used(cluster: Cluster) -> None:
    broker = redis.Redis.from_url(cluster.broker_url)
    before = len(broker.client_list()), count_connections(cluster)
    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        batch = client.submit(make_documents())
        assert len(list(batch.summaries())) == 12
        assert count_connections(cluster) > before[1]

    # A server notices a moment later.
    wait_until(lambda: (len(broker.client_list()), count_connections(cluster)) == before, "all connections are closed")
    broker.close()
    for use in (client.batches, batch.status, lambda: client.submit(make_documents())):
        with pytest.raises(gistmill.ClosedError, match="this client is closed"):
            use()


def test_without_a_database_one_sentence_says_where_and_hides_the_password() -> None:
    url = "postgresql://user:secret@127.0.0.1:1/db"
    with gistmill.connect(url, "redis://127.0.0.1:1") as client:
        with pytest.raises(
            gistmill.UnreachableError, match=r"Postgres does not answer at .*user:\*\*\*@127\.0\.0\.1:1/db"
        ):
            client.batches()
        with pytest.raises(gistmill.UnreachableError, match="nothing was submitted yet"):
            client.submit(make_documents())
        assert "secret" not in repr(client)


def test_without_a_broker_the_jobs_are_stored_and_it_is_said(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with gistmill.connect(cluster.database_url, "redis://127.0.0.1:1/0") as client:
        batch = client.submit(make_documents())

    assert (batch.new, batch.unsent, count_jobs(cluster)) == (12, 12, 12)
    assert "the broker does not answer, so 12 steps cannot be announced now" in caplog.text


def test_weights_that_nobody_serves_are_warned_of(client: gistmill.Client, caplog: pytest.LogCaptureFixture) -> None:
    client.submit(make_documents(), weights="other")

    assert "no worker serves weights 'other' now" in caplog.text


def test_addresses_come_from_the_settings_and_a_missing_one_is_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GISTMILL_HOME", str(tmp_path))
    with pytest.raises(gistmill.SettingsError, match="no server is running: start one with `gistmill up`"):
        gistmill.connect()
    with pytest.raises(gistmill.SettingsError, match="must be an address of Postgres"):
        gistmill.connect("mysql://127.0.0.1:8000")
    monkeypatch.setenv("GISTMILL_DATABASE_URL", cluster.database_url)
    with gistmill.connect() as client:
        assert client.batches() == []


def test_the_celery_app_of_a_program_stays_the_current_one(client: gistmill.Client) -> None:
    before = current_app._get_current_object()
    with Celery("theirs", broker="memory://") as theirs:
        theirs.set_current()
        client.submit(make_documents())
        assert current_app.main == "theirs"
    before.set_current()


def test_an_import_brings_no_library_with_it() -> None:
    code = "import gistmill, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    heavy = {"torch", "sqlalchemy", "pydantic", "celery", "kombu", "pandas", "numpy", "click", "asyncio", "producer"}
    assert heavy & set(done.stdout.split()) == set()


def test_every_public_name_is_there() -> None:
    assert set(gistmill.__all__) <= set(dir(gistmill))
    assert all(getattr(gistmill, name).__name__ == name for name in gistmill.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Clint'"):
        gistmill.Clint  # noqa: B018


def test_without_pandas_one_sentence_says_how_to_get_it(
    client: gistmill.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = client.submit(make_documents())
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(gistmill.MissingLibraryError, match=r"to_pandas\(\) needs pandas; run: pip install"):
        batch.summaries().to_pandas()


def test_the_reason_of_a_failed_job_is_in_its_summary(client: gistmill.Client, driver: Driver) -> None:
    batch = client.submit(make_documents(["a"]))
    [job] = batch.summaries()
    driver.fail(job.id, "plan", message="it broke")

    [summary] = batch.wait(timeout=60).summaries()

    assert (summary.state, summary.text, summary.review) == ("failed", None, None)
    assert "it broke" in str(summary.reason)
