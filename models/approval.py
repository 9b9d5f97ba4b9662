"""Approval of a summary as a training example, stored as the metric ``approved`` of its job.

An approval belongs to the stored summary: a second try that replaces the summary sets the value to NULL, as of every
metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.job import Job, JobState
from models.lookup import Target, is_in_target
from models.step_updates import affected_rows
from models.tables import Document, Evaluation

# Name of the metric; its value is 1. Revoking it deletes the row, and so does a retry of the job.
APPROVED = "approved"


def approve_jobs(session: Session, target: Target, *, by: str) -> int:
    """Approve the succeeded jobs of a target and return how many are approved now; the caller commits.

    Args:
        session: session of the results database.
        target: job or batch; jobs that have not succeeded stay unapproved.
        by: name of the approving person.
    """
    is_good = is_in_target(target) & (Job.state == JobState.SUCCEEDED)
    stale = (Evaluation.metric == APPROVED) & Evaluation.value.is_(None)
    session.execute(delete(Evaluation).where(stale, Evaluation.job_id.in_(select(Job.id).where(is_good))))
    words = literal({"by": by}, Evaluation.evidence.type)
    source = select(Job.id, literal(APPROVED), literal(1.0), words).where(is_good)
    columns = ["job_id", "metric", "value", "evidence"]
    session.execute(insert(Evaluation).from_select(columns, source).on_conflict_do_nothing())
    return session.scalar(select(func.count()).select_from(Job).where(is_good)) or 0


def revoke_approvals(session: Session, target: Target) -> int:
    """Delete the approvals of a job or a batch and return how many there were; the caller commits."""
    jobs = select(Job.id).where(is_in_target(target))
    return affected_rows(
        session.execute(delete(Evaluation).where(Evaluation.metric == APPROVED, Evaluation.job_id.in_(jobs)))
    )


def list_approved(session: Session, batch_id: UUID) -> Iterator[tuple[str, str]]:
    """Yield the document and the summary of every approved job of a batch, in order of submission."""
    rows = session.execute(
        select(Document.text, Job.summary)
        .join(Job, Job.document_sha256 == Document.sha256)
        .join(Evaluation, Evaluation.job_id == Job.id)
        .where(Job.batch_id == batch_id, Evaluation.metric == APPROVED, Evaluation.value.is_not(None))
        .order_by(Job.position, Job.id)
    )
    for text, summary in rows:
        yield text, summary or ""
