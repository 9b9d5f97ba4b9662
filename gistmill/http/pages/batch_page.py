"""Page of one batch: its progress, and its documents with filters, one page of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from gistmill.http.batches import require_batch
from gistmill.http.cursors import Cursor, decode_job_place, encode_cursor
from gistmill.http.pages.notices import Notice, describe_notice
from gistmill.http.pages.rendering import PageRoute, render
from gistmill.http.requests import State
from gistmill.http.services import Shared
from models.choices import SHOWN_STATES
from models.listing import JobFilter, count_jobs, read_page
from producer.status import read_pace

router = APIRouter(include_in_schema=False, route_class=PageRoute)
SHOWN_JOBS = 50


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The filters of the form above the rows, as they stand in the address.

    Args:
        state: state of the jobs; "" for all.
        review: only jobs that need review.
        search: part of the document's name.
    """

    state: str
    review: bool
    search: str

    @property
    def is_empty(self) -> bool:
        """True if every job passes."""
        return not (self.state or self.review or self.search)

    def make_query(self, **more: str) -> str:
        """Return the filters as the query of an address, with other values."""
        given = {"state": self.state, "review": "1" if self.review else "", "q": self.search} | more
        return urlencode({name: value for name, value in given.items() if value})


@router.get("/batches/{batch_id}")
def show_batch(
    services: Shared,
    batch_id: UUID,
    state: State | Literal[""] = "",
    review: bool = False,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = None,
    notice: Notice = "",
) -> HTMLResponse:
    """Show a batch."""
    require_batch(services, batch_id)
    filters = RowFilter(state, review, q.replace("\0", "").strip())
    states = (filters.state,) if filters.state else ()
    wanted = JobFilter(batch_id, states=states, needs_review=review, source=filters.search)
    with services.connection.open_session() as session:
        pace = read_pace(session, batch_id)
        page = read_page(session, wanted, after=decode_job_place(cursor), page_jobs=SHOWN_JOBS)
        found = pace.progress.jobs if filters.is_empty else count_jobs(session, wanted)
    return render(
        "batch.html",
        pace=pace,
        progress=pace.progress,
        jobs=page.jobs,
        found=found,
        filters=filters,
        choices=SHOWN_STATES,
        is_first=cursor is None,
        next_cursor=None if page.end is None else encode_cursor(*page.end),
        notice=describe_notice(notice),
        has_token=services.token_check is not None,
    )
