"""Page of one document: its summary beside its source, verdicts that light up their passages, and all its steps."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from gistmill.http.jobs import require_job
from gistmill.http.pages.notices import Notice, describe_notice
from gistmill.http.pages.rendering import PageRoute, render
from gistmill.http.services import Shared
from models.approval import APPROVED
from models.choices import OPEN_STATES, JobState
from models.listing import find_neighbours
from producer.report.documents import DocumentPart, read_part

router = APIRouter(include_in_schema=False, route_class=PageRoute)
# A longer document is shown in excerpts around its passages: a browser lays out a megabyte of text in about a second.
MAX_SOURCE = 1_000_000
RETRIED_STATES = (JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class PossibleActions:
    """Forms on a job's page: a field is True if its form is shown.

    Args:
        cancel: it can be stopped.
        retry: it has steps that failed or were cancelled.
        retry_marked: it has steps that a guard has marked.
        approve: it has a whole summary that is not approved.
        revoke: it is approved.
    """

    cancel: bool
    retry: bool
    retry_marked: bool
    approve: bool
    revoke: bool


@router.get("/jobs/{job_id}")
def show_job(services: Shared, job_id: UUID, notice: Notice = "") -> HTMLResponse:
    """Show a job."""
    require_job(services, job_id)
    with services.connection.open_session() as session:
        part = read_part(session, job_id, max_characters=MAX_SOURCE)
        before, after = find_neighbours(session, part.provenance.job)
    return render(
        "job.html",
        part=part,
        job=part.provenance.job,
        actions=list_actions(part),
        before=before,
        after=after,
        notice=describe_notice(notice),
        has_token=services.token_check is not None,
    )


def list_actions(part: DocumentPart) -> PossibleActions:
    """Return the forms for a job in its present state."""
    job = part.provenance.job
    is_approved = any(measure.metric == APPROVED and measure.value for measure in part.provenance.evaluations)
    has_marked = any(guard.get("stands") for step in part.provenance.steps for guard in step.guards)
    return PossibleActions(
        cancel=job.state in OPEN_STATES or job.is_being_checked,
        retry=job.state in RETRIED_STATES,
        retry_marked=has_marked and job.state not in OPEN_STATES,
        approve=job.state == JobState.SUCCEEDED and not is_approved,
        revoke=is_approved,
    )
