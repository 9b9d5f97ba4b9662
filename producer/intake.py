"""Stores documents, jobs and their plan steps in one transaction; existing rows stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import Json
from models.job import Job, Priority
from models.options import JobOptions
from models.outbox import NewStep, describe_steps, insert_steps
from models.queues import StepMessage
from models.step import StepKind
from models.tables import Batch, Document, hash_document
from producer.batches import batch_id, job_id
from producer.sources.source import Source

PLAN = NewStep(StepKind.PLAN, level=0, index=0)


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """Options of a submission, the same for every document.

    Args:
        batch: name of the batch.
        options: options of each job.
        priority: priority of each job.
        asked: options as given on the command line, stored with the batch.
    """

    batch: str
    options: JobOptions
    priority: Priority = Priority.NORMAL
    asked: Json = field(default_factory=dict)

    @property
    def batch_id(self) -> UUID:
        """Id of the batch, derived from its name."""
        return batch_id(self.batch)


def store_block(session: Session, request: SubmissionRequest, sources: Sequence[Source]) -> list[StepMessage]:
    """Store a block of sources and return the step messages of the new jobs, to be published after the commit."""
    hashes = [hash_document(source.text, source.format) for source in sources]
    session.execute(
        insert(Batch).on_conflict_do_nothing(),
        [{"id": request.batch_id, "name": request.batch, "options": request.asked}],
    )
    _insert_documents(session, dict(zip(hashes, sources, strict=True)))
    jobs = [_describe_job(request, source, sha256) for source, sha256 in zip(sources, hashes, strict=True)]
    created = [
        Job(id=job, weights=request.options.weights, priority=request.priority) for job in _insert_jobs(session, jobs)
    ]
    return insert_steps(session, [row for job in created for row in describe_steps(job, [PLAN])])


def _insert_documents(session: Session, sources: dict[str, Source]) -> None:
    rows = [
        {
            "sha256": sha256,
            "format": source.format,
            "text": source.text,
            "title": source.title or None,
            "details": source.metadata,
        }
        # Sorted, so that two submissions of the same documents cannot deadlock.
        for sha256, source in sorted(sources.items())
    ]
    session.execute(insert(Document).on_conflict_do_nothing(), rows)


def _describe_job(request: SubmissionRequest, source: Source, sha256: str) -> Json:
    identity = request.options.identify(sha256, source.name)
    return {
        "id": job_id(request.batch_id, identity),
        "batch_id": request.batch_id,
        "identity": identity,
        "document_sha256": sha256,
        "source": source.name,
        "options": request.options.model_dump(mode="json"),
        "weights": request.options.weights,
        "priority": request.priority,
    }


def _insert_jobs(session: Session, jobs: list[Json]) -> list[UUID]:
    rows = sorted(jobs, key=lambda job: job["id"])
    return list(session.scalars(insert(Job).on_conflict_do_nothing().returning(Job.id), rows))
