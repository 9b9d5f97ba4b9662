"""Making jobs in tests the way a producer does, without reading files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.claims import Claim, claim_steps
from models.job import Job, Priority
from models.options import JobOptions, make_options
from models.outbox import NewStep, add_steps
from models.partitions import stamp_month
from models.queues import StepMessage
from models.step import StepKind
from models.tables import Batch, Document, hash_document

# Six sections, each a chunk of its own with the options below.
SECTIONS = "\n\n".join(
    f"## Part{n}\n\nSentence {n} says that value {n} is {n * 7}. " + "More words here. " * 40 for n in range(6)
)


def section_options(**values: object) -> JobOptions:
    """Return options of a job for these sections, whose fake answers are kept as they are."""
    return make_options(**{"chunk_tokens": 150, "grounding": "off", **values})


def add_jobs(
    engine: Engine,
    texts: Sequence[str],
    *,
    options: JobOptions | None = None,
    priority: Priority = Priority.NORMAL,
    document_format: str = "markdown",
    submitted: datetime | None = None,
    is_old: bool = False,
) -> tuple[list[UUID], list[StepMessage]]:
    """Store one job per text with its plan step; nothing is sent.

    Args:
        engine: of the results database.
        texts: the documents.
        options: of every job.
        priority: of every job.
        document_format: of every document.
        submitted: time in the ids of the jobs; now by default.
        is_old: give ids without a time, as they were before steps were split by month.

    Returns:
        The jobs' ids, and the messages that a producer would send.
    """
    options = options or JobOptions()
    jobs: list[UUID] = []
    step_messages: list[StepMessage] = []
    with Session(engine) as session, session.begin():
        batch = Batch(id=uuid4(), name=f"batch-{uuid4().hex[:8]}", options={})
        session.add(batch)
        session.flush()
        for number, text in enumerate(texts):
            sha256 = hash_document(text, document_format)
            row = {"sha256": sha256, "format": document_format, "text": text, "details": {}}
            session.execute(insert(Document).values(row).on_conflict_do_nothing())
            job = Job(
                id=uuid4() if is_old else stamp_month(uuid4(), submitted or datetime.now(UTC)),
                batch_id=batch.id,
                identity=options.identify(sha256, f"text {number}"),
                document_sha256=sha256,
                source=f"text {number}",
                position=number,
                options=options.model_dump(mode="json"),
                weights=options.weights,
                priority=priority,
                pending=1,
            )
            session.add(job)
            session.flush()
            step_messages += add_steps(session, job, [NewStep(StepKind.PLAN, 0, 0)])
            jobs.append(job.id)
    return jobs, step_messages


def claim_step(connection: Connection, step_id: UUID, *, lease_seconds: float = 60) -> Claim | None:
    """Claim one step under a new token."""
    token = uuid4()
    return claim_steps(connection, {token: step_id}, worker="w1", lease_seconds=lease_seconds).get(token)
