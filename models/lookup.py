"""Queries of people about the results: batches, jobs and workers, and the target that a name or id prefix names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from shlex import quote
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

from models.base import Json
from models.errors import UnknownIdError
from models.job import Job, JobState
from models.nearest import SHOWN, describe_nearest, find_nearest
from models.tables import Batch, Document, Worker
from models.views import BatchProgress, ChunkText, JobSummary, SentenceText, read_row, read_rows, view_of

# Digits of an id that the commands print; with fewer, the name of a document is more likely meant.
SHOWN_DIGITS = 8
HEX_ID = re.compile(r"[0-9a-f]{1,8}(-?[0-9a-f]{0,4}){0,3}-?[0-9a-f]{0,12}", re.IGNORECASE)
# The intact beginning of a mistyped id; words rarely begin with four hex digits.
HEX_BEGINNING = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)
# Latest batches whose names are compared with an unknown name.
COMPARED = 500
# Maximum age of a live worker's heartbeat; heartbeats come every 10 s by default.
WORKER_SILENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Target:
    """A batch, or one job of it."""

    batch_id: UUID
    batch: str
    job_id: UUID | None = None
    source: str | None = None

    def describe(self) -> str:
        """Return the batch's name, or the beginning of the job's id with its document."""
        return f"{str(self.job_id)[:SHOWN_DIGITS]} ({self.source} in {self.batch})" if self.job_id else self.batch


def find_target(session: Session, name: str) -> Target:
    """Return the batch or job with a name, an id prefix or a document's name.

    Raises:
        UnknownIdError: none or several match; the message lists the nearest.
    """
    # Names are stored composed; a file name of macOS is decomposed.
    name = unicodedata.normalize("NFC", name)
    if not name.strip():
        raise UnknownIdError("a blank name means no batch and no job; `gistmill status` lists the batches")
    if "\0" in name:
        raise UnknownIdError(f"no name of a batch or a job holds NUL characters, as {name!r} does")
    targets = _find_batches(session, name)
    if len(name) < SHOWN_DIGITS:
        targets = targets or _find_jobs_by_source(session, name)
    targets = targets or [*_find_batches_by_id(session, name), *_find_jobs(session, name)]
    targets = targets or _find_jobs_by_source(session, name)
    if len(targets) == 1:
        return targets[0]
    if targets:
        raise UnknownIdError(f"{name!r} could mean {describe_targets(targets)}; give more of its name or id")
    raise UnknownIdError(f"there is no batch or job {name!r}{_suggest_nearest(session, name)}")


def find_batch(session: Session, name: str | None) -> Target:
    """Return a batch by name or id; the latest if no name is given.

    Raises:
        UnknownIdError: there is no such batch, or the name is a job's.
    """
    if name is not None:
        target = find_target(session, name)
        if target.job_id is not None:
            raise UnknownIdError(f"{name!r} is a job of batch {target.batch}; name the batch")
        return target
    row = session.execute(select(Batch.id, Batch.name).order_by(Batch.created_at.desc()).limit(1)).one_or_none()
    if row is None:
        raise UnknownIdError("there is no batch yet; submit one with `gistmill submit PATH...`")
    return Target(row.id, row.name)


def find_job(session: Session, name: str) -> Target:
    """Return a job by name or id; a batch with one job gives that job.

    Raises:
        UnknownIdError: there is no such job, or the name is of a batch with several jobs.
    """
    target = find_target(session, name)
    if target.job_id is not None:
        return target
    jobs = session.execute(_select_targets().where(Job.batch_id == target.batch_id).limit(SHOWN + 1)).all()
    if len(jobs) == 1:
        return Target(*jobs[0])
    shown = describe_targets([Target(*job) for job in jobs[:SHOWN]])
    raise UnknownIdError(
        f"{target.batch} is a batch; name a job, such as {shown} (`gistmill results {quote(target.batch)}` lists all)"
    )


def describe_targets(targets: Sequence[Target]) -> str:
    """Return ids and names, joined by commas for a message."""
    shown = [target.describe() for target in targets[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(targets) > SHOWN else "")


def list_batches(session: Session, *, limit: int, after: tuple[datetime, UUID] | None = None) -> list[BatchProgress]:
    """Return the latest batches, newest first; with ``after`` those that follow a batch of that time and id."""
    view = view_of(BatchProgress)
    latest = select(Batch.id).order_by(Batch.created_at.desc(), Batch.id.desc()).limit(limit)
    if after is not None:
        latest = latest.where(tuple_(Batch.created_at, Batch.id) < tuple_(*after))
    statement = select(view).where(view.c.batch_id.in_(latest))
    return list(read_rows(session, BatchProgress, statement.order_by(view.c.created_at.desc(), view.c.batch_id.desc())))


def read_batch(session: Session, batch_id: UUID) -> BatchProgress:
    """Return the progress of a batch.

    Raises:
        UnknownIdError: there is no such batch.
    """
    view = view_of(BatchProgress)
    statement = select(view).where(view.c.batch_id == batch_id)
    return read_row(session, BatchProgress, statement, name=f"batch {batch_id}")


def list_ended_jobs(session: Session, batch_id: UUID) -> list[UUID]:
    """Return the partial, failed and cancelled jobs of a batch."""
    poor = (JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED)
    return list(
        session.scalars(
            select(Job.id).where(Job.batch_id == batch_id, Job.state.in_(poor)).order_by(Job.position, Job.id)
        )
    )


def read_job(session: Session, job_id: UUID) -> JobSummary:
    """Return one job.

    Raises:
        UnknownIdError: there is no such job.
    """
    view = view_of(JobSummary)
    return read_row(session, JobSummary, select(view).where(view.c.job_id == job_id), name=f"job {job_id}")


def list_chunks(session: Session, job_id: UUID) -> list[ChunkText]:
    """Return the chunks of a job in document order."""
    view = view_of(ChunkText)
    return list(read_rows(session, ChunkText, select(view).where(view.c.job_id == job_id).order_by(view.c.index)))


def list_sentences(session: Session, jobs: Sequence[UUID]) -> list[SentenceText]:
    """Return the sentences of the summaries of jobs, each summary's in order."""
    view = view_of(SentenceText)
    statement = select(view).where(view.c.job_id.in_(jobs)).order_by(view.c.job_id, view.c.index)
    return list(read_rows(session, SentenceText, statement))


def list_details(session: Session, jobs: Iterable[UUID], name: str) -> dict[UUID, str]:
    """Return a value of the details of the jobs' documents, by job, without the documents that lack it."""
    value = Document.details[name].astext
    statement = select(Job.id, value).join(Document, Document.sha256 == Job.document_sha256)
    rows = session.execute(statement.where(Job.id.in_(jobs), value.is_not(None)))
    return {row[0]: row[1] for row in rows}


def read_details(session: Session, jobs: Sequence[UUID]) -> dict[UUID, Json]:
    """Return the details of the jobs' documents, by job."""
    statement = select(Job.id, Document.details).join(Document, Document.sha256 == Job.document_sha256)
    return {row[0]: row[1] for row in session.execute(statement.where(Job.id.in_(jobs)))}


def list_live_workers(session: Session) -> list[Worker]:
    """Return the workers that have a recent heartbeat and have not stopped."""
    is_recent = Worker.heartbeat_at > func.now() - WORKER_SILENCE
    return list(session.scalars(select(Worker).where(Worker.stopped_at.is_(None), is_recent).order_by(Worker.node)))


def is_in_target(target: Target) -> ColumnElement[bool]:
    """Return the SQL condition that a job is the target or belongs to it."""
    return Job.batch_id == target.batch_id if target.job_id is None else Job.id == target.job_id


def _select_targets() -> Select[UUID, str, UUID, str]:
    return select(Job.batch_id, Batch.name, Job.id, Job.source).join(Batch, Batch.id == Job.batch_id).order_by(Job.id)


def _find_batches(session: Session, name: str) -> list[Target]:
    exact = session.execute(select(Batch.id, Batch.name).where(Batch.name == name)).all()
    starts = select(Batch.id, Batch.name).where(Batch.name.startswith(name, autoescape=True))
    return [Target(row.id, row.name) for row in exact or session.execute(starts.limit(SHOWN + 1)).all()]


def _find_batches_by_id(session: Session, name: str) -> list[Target]:
    bounds = _id_bounds(name)
    if bounds is None:
        return []
    found = session.execute(select(Batch.id, Batch.name).where(Batch.id.between(*bounds)).limit(SHOWN + 1)).all()
    return [Target(row.id, row.name) for row in found]


def _find_jobs(session: Session, name: str) -> list[Target]:
    bounds = _id_bounds(name)
    if bounds is None:
        return []
    return [Target(*row) for row in session.execute(_select_targets().where(Job.id.between(*bounds)).limit(SHOWN + 1))]


def _id_bounds(name: str) -> tuple[UUID, UUID] | None:
    """Return the lowest and the highest id with a prefix, so that the primary key's index finds all between."""
    digits = name.replace("-", "")
    if not 0 < len(digits) <= 32 or not HEX_ID.fullmatch(name):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _suggest_nearest(session: Session, name: str) -> str:
    names = list(session.scalars(select(Batch.name).order_by(Batch.created_at.desc()).limit(COMPARED)))
    nearest = find_nearest(name, names)
    nearest += [target.describe() for target in _find_nearest_jobs(session, name)]
    if not nearest:
        return "; `gistmill status` lists the batches"
    return f"; {describe_nearest(nearest[: 2 * SHOWN])}"


def _find_jobs_by_source(session: Session, source: str) -> list[Target]:
    return [Target(*row) for row in session.execute(_select_targets().where(Job.source == source).limit(SHOWN + 1))]


def _find_nearest_jobs(session: Session, name: str) -> list[Target]:
    """Return jobs whose source ends with this file name, else the neighbours of a mistyped id in order of ids."""
    by_source = session.execute(
        _select_targets().where(Job.source.endswith(f"/{name}", autoescape=True)).limit(SHOWN)
    ).all()
    beginning = HEX_BEGINNING.match(name)
    bounds = _id_bounds(beginning[0]) if beginning else None
    if by_source or bounds is None:
        return [Target(*row) for row in by_source]
    after = session.execute(_select_targets().where(Job.id > bounds[0]).limit(2)).all()
    before = session.execute(
        _select_targets().order_by(None).order_by(Job.id.desc()).where(Job.id < bounds[0]).limit(1)
    ).all()
    return [Target(*row) for row in [*before, *after]]
