"""A cluster reached over its own servers: the results database and the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gistmill.batch_record import BatchRecord
from gistmill.cluster import OnRead, SummaryPage, Warn
from gistmill.connection import Connection
from gistmill.digests import make_digest, warn_of_unserved
from gistmill.webhooks import WebhookRecord, list_webhooks
from models.deletion import DeletionCounts, preview_deletion
from models.listing import JobFilter, Place, list_schemas, read_page
from models.lookup import Target, find_batch, find_job, find_target, list_batches, list_ended_jobs, read_batch
from models.session import explain_outage
from models.settings import Settings
from models.views import BatchProgress
from producer.cancel import Cancellation, cancel_jobs
from producer.deletion import DeletionChoice, DeletionRecord, choose_deletion, delete_expired, delete_requested
from producer.errors import ProducerError
from producer.intake import batch_id
from producer.preparation import Preparation
from producer.provenance import Provenance, read_provenance
from producer.retry import RetryOutcome, retry_jobs
from producer.sources.given import Documents
from producer.status import Snapshot, take_snapshot
from producer.submit import SubmissionResult, submit_prepared
from producer.summaries import read_summaries
from producer.watch import WatchEvent, poll_batch
from producer.webhooks import check_address, register_webhook

if TYPE_CHECKING:
    from gistmill.planning import DocumentPlan
    from workers.comparison import Comparison


class DirectCluster:
    """Implements ``Cluster`` over a connection to the servers.

    Args:
        connection: of this cluster alone, which closes it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.warn: Warn = connection.warn

    def __repr__(self) -> str:
        return repr(self.connection)

    def submit(self, preparation: Preparation, result: SubmissionResult, *, report: OnRead) -> None:
        """Read and submit documents, and warn if no worker serves their weights."""
        if (webhook := preparation.webhook) is not None:
            self._check_webhook(webhook)
        with self.connection.open_outbox() as outbox_publisher:
            submit_prepared(self.connection.engine, outbox_publisher, preparation, result, report=report)
        if webhook is not None:
            register_webhook(self.connection.engine, batch_id(result.batch), webhook, has_new_jobs=result.created > 0)
        warn_of_unserved(self.connection, preparation.request.options.weights)

    def _check_webhook(self, url: str) -> None:
        """Refuse an address that may not be called, and warn if it may never be."""
        settings = self.connection.settings
        check_address(url, allow_private=settings.webhook_private)
        if settings.webhook_secret is None:
            self.warn(
                "the webhook waits for a `gistmill serve` that signs calls with GISTMILL_WEBHOOK_SECRET, which is not "
                "set here"
            )

    def plan(self, documents: Documents, given: Mapping[str, Any], *, on_read: OnRead) -> list[DocumentPlan]:
        """Plan documents with the tokenizer of the weights that this process' settings name."""
        from gistmill.planning import plan_documents

        return plan_documents(self.connection.settings, documents, given, on_read=on_read)

    def find_target(self, name: str) -> Target:
        """Return the batch or job with a name, an id prefix or a document's name."""
        with self.connection.open_session() as session:
            return find_target(session, name)

    def find_batch(self, name: str | None) -> Target:
        """Return a batch by name or id; the latest without one."""
        with self.connection.open_session() as session:
            return find_batch(session, name)

    def list_batches(self, *, limit: int) -> list[BatchProgress]:
        """Return the progress of the latest batches, the newest first."""
        with self.connection.open_session() as session:
            return list_batches(session, limit=limit)

    def take_snapshot(self, batch_id: UUID) -> Snapshot:
        """Return the state of a batch."""
        with self.connection.open_session() as session:
            return take_snapshot(session, batch_id)

    def poll_batch(self, batch_id: UUID) -> WatchEvent:
        """Return the state of a batch, or the outage that hides it."""
        return poll_batch(self.connection.engine, batch_id)

    def list_webhooks(self, batch_id: UUID) -> list[WebhookRecord]:
        """Return the webhooks of a batch."""
        with self.connection.open_session() as session:
            return list_webhooks(session, batch_id)

    def read_summaries(self, wanted: JobFilter, cursor: Place | None) -> SummaryPage:
        """Return the page of summaries at a cursor; no transaction stays open."""
        with self.connection.open_session() as session:
            page = read_page(session, wanted, after=cursor)
            return read_summaries(session, page), page.end

    def list_schemas(self, wanted: JobFilter) -> list[str]:
        """Return the different schemas of structured summaries, as texts."""
        with self.connection.open_session() as session:
            return list_schemas(session, wanted)

    def digest(self, target: Target, *, by: str | None, batch: str | None, options: Mapping[str, Any]) -> BatchRecord:
        """Put the digests of a batch on the queue."""
        return make_digest(self.connection, target, by=by, batch=batch, options=options)

    def show(self, name: str) -> Provenance:
        """Return a job with all that its summary was made from."""
        with self.connection.open_session() as session:
            target = find_job(session, name)
            if target.job_id is None:
                raise AssertionError("find_job returns a job")
            return read_provenance(session, target.job_id)

    def cancel(self, target: Target) -> Cancellation:
        """Cancel a job, or the open jobs of a batch."""
        with self.connection.open_session() as session:
            total = 1 if target.job_id else read_batch(session, target.batch_id).jobs
        with explain_outage(self.connection.engine):
            return cancel_jobs(self.connection.engine, target, total=total)

    def retry(self, target: Target, *, marked: bool) -> Mapping[RetryOutcome, int]:
        """Run the failed and cancelled steps of a job or a batch again."""
        with self.connection.open_outbox() as outbox_publisher:
            if target.job_id is not None:
                jobs = [target.job_id]
            else:
                with self.connection.open_session() as session:
                    jobs = list_ended_jobs(session, target.batch_id)
            return retry_jobs(self.connection.engine, outbox_publisher, jobs, with_marked=marked)

    def preview_deletion(self, name: str | None, choice: DeletionChoice) -> DeletionCounts:
        """Count what a deletion would take: of a batch or job, or of a choice in place of it."""
        with self.connection.open_session() as session:
            return preview_deletion(session, choose_deletion(session, name, choice))

    def delete(self, name: str | None, choice: DeletionChoice) -> DeletionRecord:
        """Delete jobs for good."""
        with self.connection.open_session() as session:
            request = choose_deletion(session, name, choice)
        return delete_requested(self.connection.engine, request)

    def delete_expired(self) -> list[DeletionRecord]:
        """Delete the jobs that their batch, or else GISTMILL_RETENTION_DAYS, keeps no longer."""
        return delete_expired(self.connection.engine, retention_days=self.connection.settings.retention_days)

    def compare(self, first: UUID, second: UUID) -> Comparison:
        """Compare two batches over the same documents."""
        from workers.comparison import compare_jobs
        from workers.evaluation.errors import PairingError

        with self.connection.open_session() as session:
            try:
                return compare_jobs(session, first, second)
            except PairingError as error:
                raise ProducerError(str(error)) from error

    def close(self) -> None:
        """Close every connection."""
        self.connection.close()


def open_cluster(settings: Settings, *, warn: Warn) -> DirectCluster:
    """Return the cluster of the settings, which connects at the first call.

    Raises:
        SettingsError: no database is known, or its address is invalid.
    """
    return DirectCluster(Connection(settings, warn=warn))
