"""The client for an event loop: nothing blocks it, and what is cancelled ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

import gistmill
from models import listing
from tests.conftest import Cluster, wait_until
from tests.integration.gistmill.conftest import count_connections
from tests.processes import PATIENCE

WORDS = "This document says something that nobody doubts."
NAMES = [f"row {number}" for number in range(1, 13)]
DOCUMENTS = [gistmill.Document(f"{WORDS} It is about {name}.", name=name) for name in NAMES]


@pytest_asyncio.fixture
async def aclient(cluster: Cluster) -> AsyncIterator[gistmill.AsyncClient]:
    """A client of this test's own servers."""
    async with gistmill.aconnect(cluster.database_url, cluster.broker_url) as client:
        yield client


@pytest.mark.asyncio
async def test_a_batch_is_submitted_waited_for_and_read(
    aclient: gistmill.AsyncClient, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_JOBS", 5)
    seen: list[gistmill.Snapshot] = []

    batch = await aclient.submit(DOCUMENTS, name="pile")
    await batch.wait(timeout=PATIENCE, on_progress=seen.append, interval=0.1)

    assert [summary.source async for summary in batch.summaries()] == NAMES
    assert (batch.name, batch.new, seen[-1].progress.is_over) == ("pile", 12, True)
    assert len(await batch.summaries(status="succeeded", limit=7).to_pandas()) == 7
    digests = await aclient.digest(batch, strategy="extract")
    assert (digests.new, (await aclient.digest("pile", strategy="extract")).new) == (1, 0)


@pytest.mark.asyncio
async def test_a_coroutine_beside_the_client_goes_on_while_each_call_waits_for_the_database(
    aclient: gistmill.AsyncClient, cluster: Cluster
) -> None:
    batch = await aclient.submit(DOCUMENTS)
    with cluster.engine.connect() as connection:
        # Every call below waits for this lock, which only the coroutine beside it gives back.
        connection.execute(text("LOCK TABLE jobs, batches IN ACCESS EXCLUSIVE MODE"))
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            for _ in range(20):
                await asyncio.sleep(0.01)
                ticks += 1
            assert not any(call.done() for call in calls)
            connection.rollback()

        calls = [
            asyncio.ensure_future(call)
            for call in (
                aclient.submit(DOCUMENTS, name="other"),
                aclient.batches(),
                batch.status(),
                batch.cancel(),
                batch.summaries().to_pandas(),
            )
        ]
        await asyncio.gather(tick(), *calls)
    assert ticks == 20


@pytest.mark.asyncio
async def test_a_hundred_batches_are_waited_for_without_a_thread_each(
    aclient: gistmill.AsyncClient, cluster: Cluster
) -> None:
    batch = await aclient.submit(DOCUMENTS)
    before = threading.active_count()

    waits = [asyncio.ensure_future(batch.wait(interval=60)) for _ in range(100)]
    # Each has looked once, in one of the few threads of the loop, and sleeps.
    await asyncio.sleep(0)
    while any(not wait.done() for wait in waits) and len(asyncio.all_tasks()) < 100:
        await asyncio.sleep(0.01)
    assert threading.active_count() - before < 40
    for wait in waits:
        wait.cancel()
    results = await asyncio.gather(*waits, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.asyncio
async def test_errors_and_timeouts_are_those_of_the_client(aclient: gistmill.AsyncClient) -> None:
    with pytest.raises(gistmill.NothingSubmittedError, match="there is no document"):
        await aclient.submit([])
    with pytest.raises(gistmill.UnknownIdError):
        await aclient.show("nothing")
    batch = await aclient.submit(DOCUMENTS)
    with pytest.raises(gistmill.WaitTimeoutError):
        await batch.wait(timeout=0.1)
    assert (await batch.cancel()).ended == 12
    assert dict(await batch.retry()) == {"restarted": 12}
    assert (await (await aclient.batch()).status()).progress.queued == 12
    assert [summary.source async for summary in await aclient.summaries(limit=2)] == NAMES[:2]
    assert dict(await aclient.retry(batch)) == {}
    assert (await aclient.cancel(batch)).ended == 12
    with pytest.raises(gistmill.GistmillError, match="no document"):
        await aclient.compare(batch, await aclient.submit(gistmill.Document("Another text."), name="other"))


@pytest.mark.asyncio
async def test_a_closed_client_says_so(cluster: Cluster) -> None:
    async with gistmill.aconnect(cluster.database_url, cluster.broker_url) as client:
        assert await client.batches() == []

    with pytest.raises(gistmill.ClosedError):
        await client.batches()


@pytest.mark.asyncio
async def test_a_call_that_outlives_its_client_leaves_no_connection_behind(cluster: Cluster) -> None:
    with cluster.engine.connect() as connection:
        connection.execute(text("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE"))
        before = count_connections(cluster)
        async with gistmill.aconnect(cluster.database_url, cluster.broker_url) as client:
            call = asyncio.ensure_future(client.batches())
            while count_connections(cluster) == before:
                await asyncio.sleep(0.01)
        connection.rollback()
        assert await call == []
        # A server ends a moment after its client.
        wait_until(lambda: count_connections(cluster) == before, "the connection is closed")
