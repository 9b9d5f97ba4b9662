"""Routes that delete jobs for good; the database role of the server must be one that may."""

from __future__ import annotations

from fastapi import APIRouter

from gistmill.http.errors import describe_responses
from gistmill.http.requests import DeletionBody
from gistmill.http.services import Shared
from models.deletion import DeletionCounts
from producer.deletion import DeletionChoice, DeletionRecord

router = APIRouter(prefix="/api", tags=["deletions"])


@router.post("/deletions/preview", responses=describe_responses(404))
def preview(services: Shared, body: DeletionBody) -> DeletionCounts:
    """Count what a deletion would take."""
    return services.cluster.preview_deletion(*read_choice(body))


@router.post("/deletions", responses=describe_responses(404))
def delete(services: Shared, body: DeletionBody) -> DeletionRecord:
    """Delete jobs with their summaries, steps, uploads, and the documents that no other job needs."""
    return services.cluster.delete(*read_choice(body))


def read_choice(body: DeletionBody) -> tuple[str | None, DeletionChoice]:
    """Return the name of a batch or job, and the choice in place of it."""
    return body.name, {"document": body.document, "older_than": body.older_than}
