"""Routes that read and steer jobs, and the summaries of jobs page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from gistmill.http.batches import require_batch
from gistmill.http.cursors import Cursor, ListPage, PageSize, decode_job_place, encode_cursor
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.requests import RetryBody, State
from gistmill.http.services import Services, Shared
from models.choices import Strategy
from models.job import Job
from models.listing import read_page
from models.lookup import Target
from models.settings import WEIGHTS_NAME
from models.tables import Batch
from producer.cancel import Cancellation
from producer.filters import make_filter
from producer.provenance import Provenance, read_provenance
from producer.retry import RetryOutcome
from producer.summaries import Summary, read_summaries

router = APIRouter(prefix="/api", tags=["jobs"])
REFUSALS = describe_responses(404)


def read_filters(
    status: Annotated[list[State] | None, Query(description="Only jobs in one of these states.")] = None,
    strategy: Annotated[list[Strategy] | None, Query(description="Only jobs of one of these strategies.")] = None,
    weights: Annotated[list[Annotated[str, Query(pattern=WEIGHTS_NAME)]] | None, Query()] = None,
    since: Annotated[
        str | None, Query(max_length=40, description="A moment, or an age such as 90min, 12h, 3d.")
    ] = None,
    needs_review: bool = False,
    flagged: bool = False,
    marked: bool = False,
) -> dict[str, Any]:
    """Return the filters of a list of jobs."""
    return {
        "status": status or (),
        "strategy": strategy or (),
        "weights": weights or (),
        "since": since,
        "needs_review": needs_review,
        "flagged": flagged,
        "marked": marked,
    }


Filters = Annotated[dict[str, Any], Depends(read_filters)]


@router.get("/summaries", responses=REFUSALS)
def read_all_summaries(
    services: Shared, filters: Filters, limit: PageSize = 50, cursor: Cursor = None, job_id: UUID | None = None
) -> ListPage[Summary]:
    """List the jobs of all batches, or a single one, with summaries and citations, the latest batch first."""
    target = None if job_id is None else require_job(services, job_id)
    return _read_summaries(services, target, filters, limit, cursor)


@router.get("/batches/{batch_id}/summaries", responses=REFUSALS)
def read_batch_summaries(
    services: Shared, batch_id: UUID, filters: Filters, limit: PageSize = 50, cursor: Cursor = None
) -> ListPage[Summary]:
    """List the jobs of a batch with their summaries and citations, in the order of the input."""
    return _read_summaries(services, require_batch(services, batch_id), filters, limit, cursor)


@router.get("/schemas", responses=REFUSALS)
def read_schemas(services: Shared, filters: Filters, batch_id: UUID | None = None) -> list[str]:
    """List the JSON Schemas of structured summaries as texts, the latest first; without a batch those of all."""
    target = None if batch_id is None else require_batch(services, batch_id)
    return services.cluster.list_schemas(make_filter(target, filters))


@router.get("/jobs/{job_id}", responses=REFUSALS)
def read_job(services: Shared, job_id: UUID) -> Provenance:
    """Return a job with all that its summary was made from: chunks, steps, sentences, citations, checks."""
    require_job(services, job_id)
    with services.connection.open_session() as session:
        return read_provenance(session, job_id)


@router.get("/compare", responses=describe_responses(404, 501))
def compare_batches(services: Shared, first: UUID, second: UUID) -> dict[str, Any]:
    """Compare two batches over the same documents: means, and paired differences with their intervals."""
    sides = [require_batch(services, batch_id).batch_id for batch_id in (first, second)]
    return asdict(services.cluster.compare(*sides))


@router.post("/jobs/{job_id}/cancel", responses=REFUSALS)
def cancel_job(services: Shared, job_id: UUID) -> Cancellation:
    """Stop a job."""
    return services.cluster.cancel(require_job(services, job_id))


@router.post("/jobs/{job_id}/retry", responses=REFUSALS)
def retry_job(services: Shared, job_id: UUID, body: RetryBody | None = None) -> Mapping[RetryOutcome, int]:
    """Run failed and cancelled steps of a job again."""
    is_marked = body is not None and body.marked
    return services.cluster.retry(require_job(services, job_id), marked=is_marked)


def require_job(services: Services, job_id: UUID) -> Target:
    """Return a job as a target of queries.

    Raises:
        RequestError: there is no such job.
    """
    statement = select(Job.batch_id, Batch.name, Job.id).join(Batch, Batch.id == Job.batch_id)
    with services.connection.open_session() as session:
        row = session.execute(statement.where(Job.id == job_id)).one_or_none()
    if row is None:
        raise RequestError(404, f"there is no job {job_id}; GET /api/summaries and the page of its batch list them")
    return Target(*row)


def _read_summaries(
    services: Services, target: Target | None, filters: Mapping[str, Any], limit: int, cursor: str | None
) -> ListPage[Summary]:
    wanted = make_filter(target, filters)
    with services.connection.open_session() as session:
        page = read_page(session, wanted, after=decode_job_place(cursor), page_jobs=limit)
        summaries = read_summaries(session, page)
    return ListPage(list(summaries), None if page.end is None else encode_cursor(*page.end))
