"""Routes that read and steer batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gistmill.batch_record import BatchRecord
from gistmill.http.cursors import Cursor, ListPage, PageSize, decode_batch_place, encode_cursor
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.requests import DigestBody, RetryBody
from gistmill.http.services import Services, Shared
from models.lookup import Target, find_target, list_batches
from models.tables import Batch
from models.views import BatchProgress
from producer.cancel import Cancellation
from producer.retry import RetryOutcome
from producer.status import Snapshot, take_snapshot

router = APIRouter(prefix="/api", tags=["batches"])
REFUSALS = describe_responses(404)


@router.get("/batches")
def read_batches(services: Shared, limit: PageSize = 20, cursor: Cursor = None) -> ListPage[BatchProgress]:
    """List the batches with their progress, the newest first."""
    with services.connection.open_session() as session:
        batches = list_batches(session, limit=limit + 1, after=decode_batch_place(cursor))
    shown = batches[:limit]
    last = None if len(batches) <= limit else encode_cursor(shown[-1].created_at, shown[-1].batch_id)
    return ListPage(shown, last)


@router.get("/find", responses=REFUSALS)
def find_by_name(services: Shared, name: Annotated[str, Query(min_length=1, max_length=1_000)]) -> Target:
    """Return the batch or the job with a name, the beginning of an id, or a document's name."""
    with services.connection.open_session() as session:
        return find_target(session, name)


@router.get("/batches/{batch_id}", responses=REFUSALS)
def read_batch(services: Shared, batch_id: UUID) -> Snapshot:
    """Return the state of a batch now: jobs and steps by state, speed, failures and workers."""
    require_batch(services, batch_id)
    with services.connection.open_session() as session:
        return take_snapshot(session, batch_id)


@router.post("/batches/{batch_id}/cancel", responses=REFUSALS)
def cancel_batch(services: Shared, batch_id: UUID) -> Cancellation:
    """Stop the open jobs of a batch; what is finished stays."""
    return services.cluster.cancel(require_batch(services, batch_id))


@router.post("/batches/{batch_id}/retry", responses=REFUSALS)
def retry_batch(services: Shared, batch_id: UUID, body: RetryBody | None = None) -> Mapping[RetryOutcome, int]:
    """Run failed and cancelled steps of a batch again; the answer counts its jobs by what became of them."""
    is_marked = body is not None and body.marked
    return services.cluster.retry(require_batch(services, batch_id), marked=is_marked)


@router.post("/batches/{batch_id}/digest", status_code=201, responses=REFUSALS)
def digest_batch(services: Shared, batch_id: UUID, body: DigestBody | None = None) -> BatchRecord:
    """Put one summary over the documents of a batch on the queue, made from their summaries."""
    body = body or DigestBody()
    options = {**body.options.list_given(), "priority": body.priority, "keep_days": body.keep_days}
    return services.cluster.digest(require_batch(services, batch_id), by=body.by, batch=body.name, options=options)


def require_batch(services: Services, batch_id: UUID) -> Target:
    """Return a batch as a target of queries.

    Raises:
        RequestError: there is no such batch.
    """
    with services.connection.open_session() as session:
        batch = session.get(Batch, batch_id)
        if batch is None:
            raise RequestError(404, f"there is no batch {batch_id}; GET /api/batches and the first page list them")
        return Target(batch.id, batch.name)
