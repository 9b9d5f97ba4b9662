"""The client for programs with an event loop: the same methods as coroutines, whose work is done in threads.

A batch is waited for without a thread: between two looks the loop sleeps.
"""

from __future__ import annotations

from asyncio import sleep, to_thread
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack
from uuid import UUID

from gistmill.batch import INTERVAL, Batch, OnProgress, ProgressReporter
from gistmill.batch_record import BatchRecord
from gistmill.client import Client, Named, connect
from gistmill.cluster import OnRead
from gistmill.summaries import Summaries, make_frame
from models.deletion import DeletionCounts
from models.views import BatchProgress
from producer.deletion import DeletionChoice, DeletionRecord
from producer.filters import FilterOptions
from producer.options import DigestOptions, PlanningOptions, SubmitOptions
from producer.provenance import Provenance
from producer.sources.given import Documents
from producer.status import Snapshot
from producer.summaries import Summary
from producer.watch import Deadline, has_ended

if TYPE_CHECKING:
    from pandas import DataFrame

    from gistmill.inbox import WatchOptions
    from gistmill.planning import DocumentPlan
    from gistmill.webhooks import WebhookRecord
    from producer.cancel import Cancellation
    from producer.retry import RetryOutcome
    from workers.comparison import Comparison


def aconnect(address: str | None = None, broker_url: str | None = None, *, token: str | None = None) -> AsyncClient:
    """Return a client for an event loop, which connects at its first call; the arguments are those of ``connect``.

    Raises:
        SettingsError: no cluster is known, or an address is invalid.
    """
    return AsyncClient(connect(address, broker_url, token=token))


class AsyncSummaries:
    """Summaries in the order of their input, for ``async for``; a page is read in a thread when it is needed."""

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries

    async def __aiter__(self) -> AsyncIterator[Summary]:
        page, cursor = await to_thread(self._summaries.read_page, None)
        for summary in page:
            yield summary
        while cursor is not None:
            page, cursor = await to_thread(self._summaries.read_page, cursor)
            for summary in page:
                yield summary

    async def to_pandas(self, columns: Sequence[str] = ()) -> DataFrame:
        """Return a DataFrame of a row a job, as ``Summaries.to_pandas`` does.

        Raises:
            MissingLibraryError: pandas is not installed.
        """
        return await to_thread(make_frame, self._summaries, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncBatch(BatchRecord):
    """A batch of an ``AsyncClient``; the methods are those of ``Batch``."""

    sync: Batch = field(repr=False, compare=False)

    async def status(self) -> Snapshot:
        """Return the state of the batch now."""
        return await to_thread(self.sync.status)

    async def wait(
        self, timeout: float | None = None, *, on_progress: OnProgress | None = None, interval: float = INTERVAL
    ) -> Self:
        """Wait until all jobs and their checks have ended, and return the batch; a cancelled wait ends at once.

        Args:
            timeout: longest time to wait, in seconds; None waits for ever.
            on_progress: called with the state of the batch at every look at it, in the loop.
            interval: seconds between two looks.

        Raises:
            WaitTimeoutError: the batch has not ended in time; its work goes on.
            UnreachableError: the servers do not answer at the first look.
        """
        await self.status()
        reporter, deadline = ProgressReporter(self.sync.cluster.warn, on_progress), Deadline(timeout)
        while True:
            observed = await to_thread(self.sync.poll)
            reporter.report(observed)
            if has_ended(observed):
                return self
            await sleep(deadline.choose_pause(interval, observed))

    async def webhooks(self) -> list[WebhookRecord]:
        """Return the webhooks of the batch, and what became of their calls."""
        return await to_thread(self.sync.webhooks)

    def summaries(self, **filters: Unpack[FilterOptions]) -> AsyncSummaries:
        """Return the summaries in the order of the input; they are read while they are iterated over."""
        return AsyncSummaries(self.sync.summaries(**filters))

    async def cancel(self) -> Cancellation:
        """Stop the open jobs; what is finished stays."""
        return await to_thread(self.sync.cancel)

    async def delete(self) -> DeletionRecord:
        """Delete the batch for good."""
        return await to_thread(self.sync.delete)

    async def retry(self, *, marked: bool = False) -> Mapping[RetryOutcome, int]:
        """Run failed and cancelled steps again."""
        return await to_thread(self.sync.retry, marked=marked)


class AsyncClient:
    """Client of a cluster for an event loop; the methods are those of ``Client``."""

    def __init__(self, sync: Client) -> None:
        self._sync = sync

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; the work of the cluster goes on."""
        await to_thread(self._sync.close)

    async def submit(
        self,
        documents: Documents,
        *,
        name: str | None = None,
        on_read: OnRead | None = None,
        **options: Unpack[SubmitOptions],
    ) -> AsyncBatch:
        """Put documents on the queue and return their batch, as ``Client.submit`` does."""
        return _wrap(await to_thread(self._sync.submit, documents, name=name, on_read=on_read, **options))

    async def plan(
        self, documents: Documents, *, on_read: OnRead | None = None, **options: Unpack[PlanningOptions]
    ) -> list[DocumentPlan]:
        """Say how documents would be summarized, as ``Client.plan`` does."""
        return await to_thread(self._sync.plan, documents, on_read=on_read, **options)

    async def digest(
        self,
        name: str | UUID | BatchRecord,
        *,
        by: str | None = None,
        batch: str | None = None,
        **options: Unpack[DigestOptions],
    ) -> AsyncBatch:
        """Put one summary over the documents of a batch on the queue, as ``Client.digest`` does."""
        return _wrap(await to_thread(self._sync.digest, name, by=by, batch=batch, **options))

    async def batch(self, name: str | UUID | None = None) -> AsyncBatch:
        """Return a batch by its name or id; the latest without one."""
        return _wrap(await to_thread(self._sync.batch, name))

    async def batches(self, *, limit: int = 20) -> list[BatchProgress]:
        """Return the progress of the latest batches, the newest first."""
        return await to_thread(self._sync.batches, limit=limit)

    async def summaries(self, name: Named | None = None, **filters: Unpack[FilterOptions]) -> AsyncSummaries:
        """Return the summaries of a batch or job, or of all batches, as ``Client.summaries`` does."""
        return AsyncSummaries(await to_thread(self._sync.summaries, name, **filters))

    async def show(self, name: Named) -> Provenance:
        """Return a job with all that its summary was made from."""
        return await to_thread(self._sync.show, name)

    async def cancel(self, name: Named) -> Cancellation:
        """Stop a job or the open jobs of a batch; what is finished stays."""
        return await to_thread(self._sync.cancel, name)

    async def retry(self, name: Named, *, marked: bool = False) -> Mapping[RetryOutcome, int]:
        """Run the failed and cancelled steps of a job or a batch again."""
        return await to_thread(self._sync.retry, name, marked=marked)

    async def preview_deletion(self, name: Named | None = None, **choice: Unpack[DeletionChoice]) -> DeletionCounts:
        """Count what ``delete`` with the same arguments would take."""
        return await to_thread(self._sync.preview_deletion, name, **choice)

    async def delete(self, name: Named | None = None, **choice: Unpack[DeletionChoice]) -> DeletionRecord:
        """Delete jobs for good, as ``Client.delete`` does."""
        return await to_thread(self._sync.delete, name, **choice)

    async def delete_expired(self) -> list[DeletionRecord]:
        """Delete the jobs that are kept no longer."""
        return await to_thread(self._sync.delete_expired)

    async def watch_folder(
        self, folder: str | Path, *, batch: str, once: bool = False, **options: Unpack[WatchOptions]
    ) -> int:
        """Submit files of a folder as they come, as ``Client.watch_folder`` does; cancelled, it ends soon."""
        stop = Event()
        try:
            return await to_thread(self._sync.watch_folder, folder, batch=batch, once=once, stop=stop, **options)
        finally:
            stop.set()

    async def compare(self, first: str | UUID | BatchRecord, second: str | UUID | BatchRecord) -> Comparison:
        """Compare two batches over the same documents."""
        return await to_thread(self._sync.compare, first, second)


def _wrap(batch: Batch) -> AsyncBatch:
    return AsyncBatch(sync=batch, **batch.list_values())
