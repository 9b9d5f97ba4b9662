"""The client over HTTP: the same methods, the same values, the same errors."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import gistmill
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.gistmill.http_client import TOKEN, listen

WORDS = "The river rose by four metres in two days. The council closed both bridges on Friday."


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    with listen(cluster, serve_token=TOKEN) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def remote(url: str) -> Iterator[gistmill.Client]:
    with gistmill.connect(url, token=TOKEN) as client:
        yield client


@pytest.fixture
def direct(cluster: Cluster) -> Iterator[gistmill.Client]:
    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        yield client


def make_documents(names: str = "cab") -> list[gistmill.Document]:
    return [gistmill.Document(f"# About {name}\n\n{WORDS}", name=name, metadata={"of": "test"}) for name in names]


def test_both_ways_make_the_same_jobs(remote: gistmill.Client, direct: gistmill.Client, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a.md").write_text(f"---\ntitle: T\n---\n\n# A\n\n{WORDS}")
    (folder / "rows.csv").write_text(f"id,text\n7,{WORDS}\n8,{WORDS} More.\n")
    (tmp_path / "prompt.txt").write_text("Say it in one line: {text}")
    given = [folder, gistmill.Document(f"<p>{WORDS}</p>"), {"id": "x", "text": f"{WORDS} In a record."}]
    options = {"id_column": "id", "prompt": tmp_path / "prompt.txt", "words": 50, "temperature": 0.5, "cache": False}

    first = remote.submit(given, name="pile", **options)  # type: ignore[arg-type]
    again = direct.submit(given, name="pile", **options)  # type: ignore[arg-type]

    assert (first.id, first.new, first.problems) == (again.id, 5, again.problems)
    assert (again.new, again.existing) == (0, 5)
    assert remote.submit(make_documents()).name == direct.submit(make_documents()).name


def test_both_ways_read_the_same(remote: gistmill.Client, direct: gistmill.Client, driver: Driver) -> None:
    batch = remote.submit(make_documents(), name="pile")
    for summary in batch.summaries():
        driver.run(summary.id, words=f"It is about {summary.source}.")
    other = direct.batch("pile")

    assert list(batch.wait(timeout=60).summaries()) == list(other.summaries())
    assert [summary.text for summary in batch.summaries(status="succeeded", limit=2)] == [
        "It is about c.",
        "It is about a.",
    ]
    [first, *_] = batch.summaries()
    assert remote.show(first) == direct.show(first)
    assert remote.batches() == direct.batches()
    assert remote.batch().name == "pile"
    assert dataclasses.replace(batch.status(), taken_at=other.status().taken_at).progress == other.status().progress
    assert batch.summaries().to_pandas().astype(str).equals(other.summaries().to_pandas().astype(str))
    assert list(remote.summaries(limit=1)) == [first]
    assert [summary.id for summary in remote.summaries(first)] == [first.id]


def test_a_batch_is_cancelled_retried_and_compared(remote: gistmill.Client, driver: Driver) -> None:
    batch = remote.submit(make_documents(), name="one")
    assert batch.cancel().ended == 3
    assert dict(batch.retry()) == {"restarted": 3}
    second = remote.submit(make_documents(), name="two", strategy="stuff")
    for summary in (*batch.summaries(), *second.summaries()):
        driver.run(summary.id, strategy="stuff")

    assert remote.compare(batch, "two").documents == 3


def test_errors_are_those_of_the_cluster(remote: gistmill.Client, url: str) -> None:
    with pytest.raises(gistmill.UnknownIdError, match="there is no batch or job 'nothing'"):
        remote.batch("nothing")
    with pytest.raises(gistmill.SubmissionError, match="there is no document"):
        remote.submit([])
    with (
        gistmill.connect(url, token="a wrong token of length") as stranger,
        pytest.raises(gistmill.SettingsError, match="the token is missing or wrong"),
    ):
        stranger.batches()
    with pytest.raises(gistmill.UnreachableError, match=r"no server answers at http://127\.0\.0\.1:1"):
        gistmill.connect("http://127.0.0.1:1").batches()
    with pytest.raises(gistmill.SettingsError, match="needs no broker"):
        gistmill.connect(url, "redis://127.0.0.1:1/0")
    with pytest.raises(gistmill.SettingsError, match="a token belongs to the address"):
        gistmill.connect(token=TOKEN)
    remote.close()
    with pytest.raises(gistmill.ClosedError, match="this client is closed"):
        remote.batches()


def test_a_loop_waits_over_http(url: str, driver: Driver) -> None:
    async def run() -> list[str | None]:
        async with gistmill.aconnect(url, token=TOKEN) as client:
            batch = await client.submit(make_documents("a"))
            async for summary in batch.summaries():
                driver.run(summary.id, words="Done.")
            await batch.wait(timeout=60)
            return [summary.text async for summary in batch.summaries()]

    assert asyncio.run(run()) == ["Done."]


def test_a_batch_that_was_deleted_is_unknown_both_ways(remote: gistmill.Client, direct: gistmill.Client) -> None:
    sides = [remote.submit(make_documents(), name="pile"), direct.batch("pile")]
    direct.delete("pile")

    for batch in sides:
        with pytest.raises(gistmill.UnknownIdError):
            batch.wait(timeout=1)


def test_the_summary_of_one_job_is_filtered_and_has_its_document_s_facts(
    remote: gistmill.Client, direct: gistmill.Client
) -> None:
    [job, *_] = remote.submit(make_documents(), name="pile").summaries()

    [found] = remote.summaries(job)
    assert found.details == {"of": "test"}
    assert [found] == list(direct.summaries(job))
    assert list(remote.summaries(job, status="failed")) == []
