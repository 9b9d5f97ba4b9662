"""Forms that change something: cancel and retry a batch or a document, approve a summary.

A form is taken from pages of this server alone: the guard refuses every other origin.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse

from gistmill.http.batches import require_batch
from gistmill.http.jobs import require_job
from gistmill.http.pages.notices import redirect_with_notice
from gistmill.http.pages.rendering import PageRoute
from gistmill.http.services import Services, Shared
from models.approval import approve_jobs, revoke_approvals
from models.lookup import Target
from producer.retry import RetryOutcome

router = APIRouter(include_in_schema=False, route_class=PageRoute)
# Who approved: the server knows its token and not the person who has it.
APPROVER = "the page"
Marked = Annotated[bool, Form()]


@router.post("/batches/{batch_id}/cancel")
def cancel_batch(services: Shared, batch_id: UUID) -> RedirectResponse:
    """Stop the open jobs of a batch."""
    return _cancel(services, require_batch(services, batch_id), f"/batches/{batch_id}")


@router.post("/batches/{batch_id}/retry")
def retry_batch(services: Shared, batch_id: UUID) -> RedirectResponse:
    """Run failed and cancelled steps of a batch again."""
    return _retry(services, require_batch(services, batch_id), f"/batches/{batch_id}", is_marked=False)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(services: Shared, job_id: UUID) -> RedirectResponse:
    """Stop a job."""
    return _cancel(services, require_job(services, job_id), f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/retry")
def retry_job(services: Shared, job_id: UUID, marked: Marked = False) -> RedirectResponse:
    """Run failed and cancelled steps of a job again, on request the marked ones too."""
    return _retry(services, require_job(services, job_id), f"/jobs/{job_id}", is_marked=marked)


@router.post("/jobs/{job_id}/approve")
def approve_job(services: Shared, job_id: UUID) -> RedirectResponse:
    """Approve a summary as a training example."""
    target = require_job(services, job_id)
    with services.open_transaction() as session:
        number = approve_jobs(session, target, by=APPROVER)
    return redirect_with_notice(f"/jobs/{job_id}", "approved", number)


@router.post("/jobs/{job_id}/revoke")
def revoke_job(services: Shared, job_id: UUID) -> RedirectResponse:
    """Take the approval of a summary back."""
    target = require_job(services, job_id)
    with services.open_transaction() as session:
        number = revoke_approvals(session, target)
    return redirect_with_notice(f"/jobs/{job_id}", "revoked", number)


def _cancel(services: Services, target: Target, path: str) -> RedirectResponse:
    cancellation = services.cluster.cancel(target)
    return redirect_with_notice(path, "stopped", cancellation.ended + cancellation.ending)


def _retry(services: Services, target: Target, path: str, *, is_marked: bool) -> RedirectResponse:
    outcomes = services.cluster.retry(target, marked=is_marked)
    return redirect_with_notice(path, "restarted", outcomes.get(RetryOutcome.RESTARTED, 0))
