"""A cluster reached at the address of ``gistmill serve``: documents are read here, and their texts are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from gistmill.batch_record import BatchRecord
from gistmill.cluster import OnRead, SummaryPage, Warn
from gistmill.errors import ClosedError
from gistmill.messages import (
    PAGE_ITEMS,
    describe_address,
    describe_choice,
    describe_filter,
    describe_options,
    describe_source,
    explain_refusal,
    read_answer,
)
from gistmill.webhooks import WebhookRecord
from models.base import Json
from models.deletion import DeletionCounts
from models.errors import SettingsError, UnknownIdError, UnreachableError
from models.listing import JobFilter
from models.lookup import Target
from models.views import BatchProgress
from producer.cancel import Cancellation
from producer.deletion import DeletionChoice, DeletionRecord
from producer.errors import ProducerError
from producer.intake import SubmissionRequest
from producer.options import build_job_options
from producer.preparation import Preparation, Reading, split_options
from producer.provenance import Provenance
from producer.retry import RetryOutcome
from producer.sources.given import Documents
from producer.sources.source import ReadEvent, Source
from producer.status import Snapshot
from producer.submit import NothingSubmittedError, SubmissionResult, open_events, store_blocks
from producer.summaries import Summary
from producer.watch import Outage, WatchEvent

if TYPE_CHECKING:
    from gistmill.planning import DocumentPlan
    from workers.comparison import Comparison

# Seconds to connect; an answer may take as long as it takes to read documents.
CONNECT_SECONDS = 10


class HttpCluster:
    """Implements ``Cluster`` over HTTP.

    Args:
        client: client with the address and the token of the server.
        warn: called with a sentence that users must not miss.
    """

    def __init__(self, client: httpx.Client, *, warn: Warn) -> None:
        self.warn = warn
        self._client = client

    def __repr__(self) -> str:
        return repr(describe_address(self._client.base_url))

    def submit(self, preparation: Preparation, result: SubmissionResult, *, report: OnRead) -> None:
        """Read documents here, and send their texts block by block."""
        with open_events(preparation, report) as (request, events, report_stored):
            result.batch = request.batch

            def count_and_report(event: ReadEvent) -> None:
                result.add(event)
                report_stored(event)

            def send(block: Sequence[Source]) -> None:
                self._send(request, block, result, webhook=preparation.webhook)

            store_blocks(events, store=send, report=count_and_report)
        if not result.accepted:
            raise NothingSubmittedError(result)

    def _send(
        self, request: SubmissionRequest, sources: Sequence[Source], result: SubmissionResult, *, webhook: str | None
    ) -> None:
        body = {
            "name": request.batch,
            "priority": request.priority.name.lower(),
            "options": describe_options(request.options),
            "documents": [describe_source(source) for source in sources],
            "keep_days": request.retention_days,
            "webhook": webhook,
        }
        record = read_answer(BatchRecord, self._request("POST", "/api/batches", json=body))
        result.created += record.new
        result.existing += record.existing
        result.unsent += record.unsent
        # The server may have narrower limits.
        result.problems += record.problems
        result.duplicates += record.duplicates

    def plan(self, documents: Documents, given: Mapping[str, Any], *, on_read: OnRead) -> list[DocumentPlan]:
        """Read documents here, and plan their texts there."""
        from gistmill.planning import DocumentPlan

        of_reading, of_jobs = split_options(given)
        options = describe_options(build_job_options(of_jobs))
        plans: list[DocumentPlan] = []

        def plan_block(block: Sequence[Source]) -> None:
            body = {"documents": [describe_source(source) for source in block], "options": options}
            plans.extend(read_answer(list[DocumentPlan], self._request("POST", "/api/plan", json=body)))

        store_blocks(Reading(documents, **of_reading).read(), store=plan_block, report=on_read)
        return plans

    def find_target(self, name: str) -> Target:
        """Return the batch or job with a name, an id prefix or a document's name."""
        return read_answer(Target, self._request("GET", "/api/find", params={"name": name}))

    def find_batch(self, name: str | None) -> Target:
        """Return a batch by name or id; the latest without one."""
        if name is None:
            latest = self.list_batches(limit=1)
            if not latest:
                raise UnknownIdError("there is no batch yet; submit one")
            return Target(latest[0].batch_id, latest[0].batch)
        target = self.find_target(name)
        if target.job_id is not None:
            raise UnknownIdError(f"{name!r} is a job of batch {target.batch}; name the batch")
        return target

    def list_batches(self, *, limit: int) -> list[BatchProgress]:
        """Return the progress of the latest batches, the newest first."""
        batches: list[BatchProgress] = []
        cursor: str | None = None
        while len(batches) < limit:
            params = {"limit": min(limit - len(batches), PAGE_ITEMS)} | ({"cursor": cursor} if cursor else {})
            page = self._request("GET", "/api/batches", params=params)
            batches += read_answer(list[BatchProgress], page["data"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return batches

    def take_snapshot(self, batch_id: UUID) -> Snapshot:
        """Return the state of a batch."""
        return read_answer(Snapshot, self._request("GET", f"/api/batches/{batch_id}"))

    def poll_batch(self, batch_id: UUID) -> WatchEvent:
        """Return the state of a batch, or the outage that hides it."""
        try:
            return self.take_snapshot(batch_id)
        except UnreachableError as error:
            return Outage(str(error))

    def list_webhooks(self, batch_id: UUID) -> list[WebhookRecord]:
        """Return the webhooks of a batch."""
        return read_answer(list[WebhookRecord], self._request("GET", f"/api/batches/{batch_id}/webhooks"))

    def read_summaries(self, wanted: JobFilter, cursor: str | None) -> SummaryPage:
        """Return the page of summaries at a cursor."""
        is_batch = wanted.batch_id is not None and wanted.job_id is None
        path = f"/api/batches/{wanted.batch_id}/summaries" if is_batch else "/api/summaries"
        params = describe_filter(wanted) | ({"cursor": cursor} if cursor else {})
        page = self._request("GET", path, params=params)
        found = read_answer(tuple[Summary, ...], page["data"])
        is_last = wanted.limit is not None and len(found) == wanted.limit
        return found, None if is_last else page["next_cursor"]

    def list_schemas(self, wanted: JobFilter) -> list[str]:
        """Return the different schemas of structured summaries, as texts."""
        params: Json = {name: value for name, value in describe_filter(wanted).items() if name != "limit"}
        if wanted.batch_id is not None:
            params["batch_id"] = str(wanted.batch_id)
        return read_answer(list[str], self._request("GET", "/api/schemas", params=params))

    def digest(self, target: Target, *, by: str | None, batch: str | None, options: Mapping[str, Any]) -> BatchRecord:
        """Put the digests of a batch on the queue."""
        of_jobs: Json = dict(options)
        of_batch: Json = {name: of_jobs.pop(name) for name in ("priority", "keep_days") if name in of_jobs}
        body: Json = {"by": by, "name": batch, "options": describe_options(build_job_options(of_jobs)), **of_batch}
        return read_answer(BatchRecord, self._request("POST", f"{_name_path(target)}/digest", json=body))

    def show(self, name: str) -> Provenance:
        """Return a job with all that its summary was made from."""
        target = self.find_target(name)
        job_id = target.job_id or self._find_only_job(target)
        return read_answer(Provenance, self._request("GET", f"/api/jobs/{job_id}"))

    def _find_only_job(self, target: Target) -> UUID:
        found, _ = self.read_summaries(JobFilter(batch_id=target.batch_id, limit=2), None)
        if len(found) != 1:
            such_as = f", such as {found[0].id}" if found else ", of which it has none"
            raise UnknownIdError(f"{target.batch} is a batch; name a job{such_as}")
        return found[0].id

    def cancel(self, target: Target) -> Cancellation:
        """Cancel a job, or the open jobs of a batch."""
        return read_answer(Cancellation, self._request("POST", f"{_name_path(target)}/cancel"))

    def retry(self, target: Target, *, marked: bool) -> Mapping[RetryOutcome, int]:
        """Run the failed and cancelled steps of a job or a batch again."""
        answer = self._request("POST", f"{_name_path(target)}/retry", json={"marked": marked})
        return read_answer(dict[RetryOutcome, int], answer)

    def preview_deletion(self, name: str | None, choice: DeletionChoice) -> DeletionCounts:
        """Count what a deletion would take: of a batch or job, or of a choice in place of it."""
        answer = self._request("POST", "/api/deletions/preview", json=describe_choice(name, choice))
        return read_answer(DeletionCounts, answer)

    def delete(self, name: str | None, choice: DeletionChoice) -> DeletionRecord:
        """Delete jobs for good."""
        answer = self._request("POST", "/api/deletions", json=describe_choice(name, choice))
        return read_answer(DeletionRecord, answer)

    def delete_expired(self) -> list[DeletionRecord]:
        """Refuse: how long jobs are kept is a setting of the cluster.

        Raises:
            ProducerError: always.
        """
        raise ProducerError("`gistmill delete --expired` runs beside the cluster, not over HTTP")

    def compare(self, first: UUID, second: UUID) -> Comparison:
        """Compare two batches over the same documents."""
        from workers.comparison import Comparison

        params = {"first": str(first), "second": str(second)}
        return read_answer(Comparison, self._request("GET", "/api/compare", params=params))

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _request(self, method: str, path: str, **options: Any) -> Any:
        if self._client.is_closed:
            raise ClosedError("this client is closed; call gistmill.connect() again")
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"no server answers at {describe_address(self._client.base_url)} ({error or type(error).__name__}); "
                "start it (`gistmill serve`) or check the address"
            ) from error
        if response.is_success:
            return response.json()
        raise explain_refusal(response)


def open_remote(address: str, token: str | None, *, warn: Warn) -> HttpCluster:
    """Return the cluster at the address of ``gistmill serve``, which connects at the first call.

    Raises:
        SettingsError: the address is invalid.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    try:
        return HttpCluster(httpx.Client(base_url=address, headers=headers, timeout=timeout), warn=warn)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SettingsError(f"{address} is not an address such as http://host:8000 ({error})") from error


def _name_path(target: Target) -> str:
    return f"/api/batches/{target.batch_id}" if target.job_id is None else f"/api/jobs/{target.job_id}"
