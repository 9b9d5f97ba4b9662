"""A batch of jobs: its state, its summaries, and what became of the documents that were submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, Unpack

from gistmill.batch_record import BatchRecord
from gistmill.cluster import Cluster, Warn
from gistmill.summaries import Summaries
from producer.filters import FilterOptions, make_filter
from producer.status import Snapshot
from producer.watch import Outage, WatchEvent, follow_batch

if TYPE_CHECKING:
    from gistmill.webhooks import WebhookRecord
    from producer.cancel import Cancellation
    from producer.deletion import DeletionRecord
    from producer.retry import RetryOutcome

# Seconds between two looks at a batch that is waited for.
INTERVAL = 1.0
OnProgress = Callable[[Snapshot], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(BatchRecord):
    """A batch of a client."""

    cluster: Cluster = field(repr=False, compare=False)

    def status(self) -> Snapshot:
        """Return the state of the batch now: jobs and steps by state, speed, failures and workers."""
        return self.cluster.take_snapshot(self.id)

    def wait(
        self, timeout: float | None = None, *, on_progress: OnProgress | None = None, interval: float = INTERVAL
    ) -> Self:
        """Wait until all jobs and their checks have ended, through restarts of the servers, and return the batch.

        Args:
            timeout: longest time to wait, in seconds; None waits for ever.
            on_progress: called with the state of the batch at every look at it.
            interval: seconds between two looks.

        Raises:
            WaitTimeoutError: the batch has not ended in time; its work goes on.
            UnreachableError: the servers do not answer at the first look.
        """
        self.status()
        reporter = ProgressReporter(self.cluster.warn, on_progress)
        follow_batch(self.poll, reporter.report, interval_seconds=interval, timeout_seconds=timeout)
        return self

    def poll(self) -> WatchEvent:
        """Return the state of the batch now, or the outage that hides it."""
        return self.cluster.poll_batch(self.id)

    def webhooks(self) -> list[WebhookRecord]:
        """Return the webhooks of the batch, and what became of their calls."""
        return self.cluster.list_webhooks(self.id)

    def summaries(self, **filters: Unpack[FilterOptions]) -> Summaries:
        """Return the summaries in the order of the input; they are read while they are iterated over.

        Args:
            filters: those of ``gistmill results``: status, strategy, weights, since, needs_review, flagged, marked,
                limit.

        Raises:
            SettingsError: a filter is invalid.
        """
        return Summaries(self.cluster, make_filter(self.target, filters))

    def cancel(self) -> Cancellation:
        """Stop the open jobs; what is finished stays."""
        return self.cluster.cancel(self.target)

    def delete(self) -> DeletionRecord:
        """Delete the batch for good, with its summaries and with the documents that no other job needs."""
        return self.cluster.delete(str(self.id), {})

    def retry(self, *, marked: bool = False) -> Mapping[RetryOutcome, int]:
        """Run failed and cancelled steps again.

        Args:
            marked: also run steps again whose output a guard has marked.
        """
        return self.cluster.retry(self.target, marked=marked)


class ProgressReporter:
    """Reports the looks at a batch that is waited for: snapshots to a program, an outage as one warning.

    Args:
        warn: called with the sentence about an outage.
        on_progress: called with each snapshot.
    """

    def __init__(self, warn: Warn, on_progress: OnProgress | None) -> None:
        self._warn = warn
        self._on_progress = on_progress
        self._is_out = False

    def report(self, observed: WatchEvent) -> None:
        """Report one look."""
        if isinstance(observed, Outage):
            if not self._is_out:
                self._warn(f"Postgres does not answer ({observed.reason}); waiting until it does")
        elif self._on_progress is not None:
            self._on_progress(observed)
        self._is_out = isinstance(observed, Outage)
