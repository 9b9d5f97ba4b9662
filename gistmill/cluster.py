"""Interface of a cluster to its client: what both ways to reach it do, the servers themselves and HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from gistmill.batch_record import BatchRecord
    from gistmill.planning import DocumentPlan
    from gistmill.webhooks import WebhookRecord
    from models.deletion import DeletionCounts
    from models.listing import JobFilter
    from models.lookup import Target
    from models.views import BatchProgress
    from producer.cancel import Cancellation
    from producer.deletion import DeletionChoice, DeletionRecord
    from producer.preparation import Preparation
    from producer.provenance import Provenance
    from producer.retry import RetryOutcome
    from producer.sources.given import Documents
    from producer.sources.source import ReadEvent
    from producer.status import Snapshot
    from producer.submit import SubmissionResult
    from producer.summaries import Summary
    from producer.watch import WatchEvent
    from workers.comparison import Comparison

Warn = Callable[[str], None]
OnRead = Callable[["ReadEvent"], object]
# A page of summaries, and the cursor of the next page; None after the last.
SummaryPage = tuple[tuple["Summary", ...], Any]


class Cluster(Protocol):
    """A cluster; every method raises ``GistmillError``, and ``ClosedError`` after ``close``."""

    # Called with a sentence that users must not miss.
    warn: Warn

    def submit(self, preparation: Preparation, result: SubmissionResult, *, report: OnRead) -> None:
        """Read and submit documents; the result is updated after each block."""
        ...

    def plan(self, documents: Documents, given: Mapping[str, Any], *, on_read: OnRead) -> list[DocumentPlan]:
        """Plan documents without submitting them."""
        ...

    def find_target(self, name: str) -> Target:
        """Return the batch or job with a name, an id prefix or a document's name."""
        ...

    def find_batch(self, name: str | None) -> Target:
        """Return a batch by name or id; the latest without one."""
        ...

    def list_batches(self, *, limit: int) -> list[BatchProgress]:
        """Return the progress of the latest batches, the newest first."""
        ...

    def take_snapshot(self, batch_id: UUID) -> Snapshot:
        """Return the state of a batch."""
        ...

    def poll_batch(self, batch_id: UUID) -> WatchEvent:
        """Return the state of a batch, or the outage that hides it."""
        ...

    def list_webhooks(self, batch_id: UUID) -> list[WebhookRecord]:
        """Return the webhooks of a batch, and what became of their calls."""
        ...

    def read_summaries(self, wanted: JobFilter, cursor: Any) -> SummaryPage:
        """Return the page of summaries at a cursor; the first one at None."""
        ...

    def list_schemas(self, wanted: JobFilter) -> list[str]:
        """Return the different schemas of structured summaries, as texts."""
        ...

    def digest(self, target: Target, *, by: str | None, batch: str | None, options: Mapping[str, Any]) -> BatchRecord:
        """Put the digests of a batch on the queue; ``options`` has also their priority and ``keep_days``."""
        ...

    def show(self, name: str) -> Provenance:
        """Return a job with all that its summary was made from."""
        ...

    def cancel(self, target: Target) -> Cancellation:
        """Cancel a job, or the open jobs of a batch."""
        ...

    def retry(self, target: Target, *, marked: bool) -> Mapping[RetryOutcome, int]:
        """Run the failed and cancelled steps of a job or a batch again."""
        ...

    def preview_deletion(self, name: str | None, choice: DeletionChoice) -> DeletionCounts:
        """Count what a deletion would take: of a batch or job, or of a choice in place of it."""
        ...

    def delete(self, name: str | None, choice: DeletionChoice) -> DeletionRecord:
        """Delete jobs for good."""
        ...

    def delete_expired(self) -> list[DeletionRecord]:
        """Delete the jobs that are kept no longer."""
        ...

    def compare(self, first: UUID, second: UUID) -> Comparison:
        """Compare two batches over the same documents."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
