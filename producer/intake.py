"""Stores documents, jobs and their plan steps in one transaction; existing rows stay as they are.

Names and ids of batches and jobs are derived from the submission: repeating it creates nothing new.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import Json
from models.job import Job, Priority
from models.options import JobOptions
from models.outbox import NewStep, describe_steps, insert_steps
from models.partitions import stamp_month
from models.queues import StepMessage
from models.step import StepKind
from models.tables import Batch, Document, hash_document
from producer.errors import SubmissionError
from producer.sources.characters import compose
from producer.sources.source import Source

BATCH_NAMESPACE = uuid5(NAMESPACE_URL, "gistmill:batch")
# Hex digits in a derived name: a collision takes tens of thousands of submissions with one stem.
HASH_DIGITS = 8


def batch_id(name: str) -> UUID:
    """Return the id of the batch with a name."""
    return uuid5(BATCH_NAMESPACE, name)


def job_id(batch: UUID, identity: str) -> UUID:
    """Return an id for a new job with an identity in a batch; one that exists may have the month of another time."""
    return stamp_month(uuid5(batch, identity), datetime.now(UTC))


def name_batch(paths: Sequence[str], asked: dict[str, object]) -> str:
    """Return a batch's name, derived from its paths and options: ``articles-3f9a1c2e``.

    Args:
        paths: arguments of the command line; at least one.
        asked: every option that changes the jobs.
    """
    return _derive_name(_find_stem(paths[0]), [_identify_path(path) for path in paths], asked)


def name_documents(digest: str, asked: Json) -> str:
    """Return the name of a batch of documents in memory, derived from their digest and the options."""
    return _derive_name("documents", digest, asked)


def name_digest(batch: str, digest: str, asked: Json) -> str:
    """Return the name of the digests of a batch, derived from their composed documents and the options."""
    return _derive_name(f"{batch}-digest", digest, asked)


def _derive_name(stem: str, identity: object, asked: dict[str, object]) -> str:
    content = json.dumps([identity, asked], sort_keys=True, default=str)
    return f"{stem}-{hashlib.sha256(content.encode()).hexdigest()[:HASH_DIGITS]}"


def _identify_path(path: str) -> str:
    """Return the absolute path of an existing file, so that the current folder does not matter."""
    return compose(str(Path(path).resolve()) if Path(path).exists() else path)


def _find_stem(path: str) -> str:
    stem = "stdin" if path == "-" else Path(path).resolve().stem
    nameable = "".join(sign if _is_nameable(sign) else " " for sign in compose(stem))
    return "-".join(nameable.split()).strip("-.")[:40] or "batch"


def _is_nameable(sign: str) -> bool:
    """Tell whether a batch's name may have a sign: letters with their marks, digits and a few others."""
    return sign.isalnum() or sign in "_.-" or unicodedata.category(sign) in ("Mn", "Mc")


PLAN = NewStep(StepKind.PLAN, level=0, index=0)


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """Options of a submission, the same for every document.

    Args:
        batch: name of the batch.
        options: options of each job.
        priority: priority of each job.
        asked: options as given on the command line, stored with the batch.
        retention_days: days for which a new batch keeps an ended job; None for the cluster's setting.
    """

    batch: str
    options: JobOptions
    priority: Priority = Priority.NORMAL
    asked: Json = field(default_factory=dict)
    retention_days: int | None = None

    @property
    def batch_id(self) -> UUID:
        """Id of the batch, derived from its name."""
        return batch_id(self.batch)


def find_next_position(session: Session, batch: UUID) -> int:
    """Return the position after the last job of a batch; 0 for a new batch."""
    return session.scalar(select(func.coalesce(func.max(Job.position), -1) + 1).where(Job.batch_id == batch)) or 0


def check_retention(session: Session, request: SubmissionRequest) -> None:
    """Raise SubmissionError if the batch exists and keeps its jobs for another number of days than requested."""
    stored = session.execute(select(Batch.retention_days).where(Batch.id == request.batch_id)).one_or_none()
    if request.retention_days is None or stored is None or stored.retention_days == request.retention_days:
        return
    kept = "as long as the cluster's setting says" if stored.retention_days is None else f"{stored.retention_days} days"
    raise SubmissionError(
        f"batch {request.batch} keeps its jobs {kept} already; give another --batch, or no --keep-days"
    )


def store_block(
    session: Session, request: SubmissionRequest, sources: Sequence[Source], *, position: int
) -> list[StepMessage]:
    """Store a block of sources and return the step messages of the new jobs, to be published after the commit.

    Args:
        session: the caller commits, then publishes the messages.
        request: options of every document.
        sources: the documents, in the order of the input.
        position: place of the first of them in the batch.
    """
    hashes = [hash_document(source.text, source.format) for source in sources]
    session.execute(
        insert(Batch).on_conflict_do_nothing(),
        [
            {
                "id": request.batch_id,
                "name": request.batch,
                "options": request.asked,
                "retention_days": request.retention_days,
            }
        ],
    )
    _insert_documents(session, dict(zip(hashes, sources, strict=True)))
    jobs = [
        _describe_job(request, source, sha256, place)
        for place, (source, sha256) in enumerate(zip(sources, hashes, strict=True), start=position)
    ]
    created = insert_jobs(session, jobs)
    new = {job["id"]: Job(**job) for job in jobs if job["id"] in created}
    rows = [row for job in new.values() for row in describe_steps(job, [PLAN])]
    # Postgres returns rows in any order; the broker serves equal priorities in the order of publishing.
    places = {row["id"]: place for place, row in enumerate(rows)}
    return sorted(insert_steps(session, rows), key=lambda step_message: places[step_message.step_id])


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


def _describe_job(request: SubmissionRequest, source: Source, sha256: str, position: int) -> Json:
    identity = request.options.identify(sha256, source.name)
    return {
        "id": job_id(request.batch_id, identity),
        "batch_id": request.batch_id,
        "identity": identity,
        "document_sha256": sha256,
        "source": source.name,
        "position": position,
        "options": request.options.model_dump(mode="json"),
        "weights": request.options.weights,
        "priority": request.priority,
    }


def insert_jobs(session: Session, jobs: list[Json]) -> set[UUID]:
    """Insert the jobs that do not exist, and return their ids."""
    rows = sorted(jobs, key=lambda job: job["id"])
    return set(session.scalars(insert(Job).on_conflict_do_nothing().returning(Job.id), rows))
