"""Rows of the views in ``migrations/views`` as dataclasses; a field is a column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Select, TableClause, column, table
from sqlalchemy.orm import Session

from models.base import Json
from models.errors import UnknownIdError


class View(Protocol):
    """A frozen dataclass whose fields are the columns of a view."""

    VIEW: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=View)


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job: its document, options, summary and cost."""

    VIEW: ClassVar[str] = "job_summaries"

    job_id: UUID
    batch_id: UUID
    batch: str
    source: str
    title: str | None
    document_sha256: str
    state: str
    strategy: str
    style: str
    weights: str
    priority: int
    summary: str | None
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    document_characters: int
    summary_characters: int | None
    compression: float | None
    chunks: int
    document_tokens: int | None
    steps: int
    steps_done: int
    steps_failed: int
    prompt_tokens: int
    completion_tokens: int
    generation_seconds: float
    retries: int
    cached_steps: int
    guards: int
    metrics: Json
    needs_review: bool
    review: str | None
    consistency: float | None
    is_being_checked: bool
    round: int
    verified: int | None
    quoted: int | None
    flagged: int | None
    position: int
    data: Json | None
    # The weights that generated the summary, in words and by their full fingerprint; of several sets, all.
    served_weights: str | None
    weights_fingerprint: str | None


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """One batch: its jobs by state, its steps by state and its tokens."""

    VIEW: ClassVar[str] = "batch_progress"

    batch_id: UUID
    batch: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    jobs: int
    queued: int
    running: int
    succeeded: int
    partial: int
    failed: int
    cancelled: int
    steps: int
    steps_ready: int
    steps_running: int
    steps_done: int
    steps_failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_steps: int
    being_checked: int
    need_review: int
    verified: int
    quoted: int
    flagged: int

    @property
    def open_jobs(self) -> int:
        """Number of jobs that have not ended."""
        return self.queued + self.running

    @property
    def is_over(self) -> bool:
        """True if every job and its check have ended."""
        return not self.open_jobs and not self.being_checked

    @property
    def is_complete(self) -> bool:
        """True if every job has succeeded and none needs review."""
        return self.succeeded == self.jobs and not self.need_review


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One step: worker, times, speed and attempts."""

    VIEW: ClassVar[str] = "step_timeline"

    step_id: UUID
    job_id: UUID
    batch_id: UUID
    batch: str
    source: str
    kind: str
    level: int
    index: int
    state: str
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waited_seconds: float | None
    ran_seconds: float | None
    generation_seconds: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_per_second: float | None
    attempts: int
    errors: int
    crashes: int
    is_cached: bool
    finish_reason: str | None
    guards: list[Any]
    error: str | None
    round: int


@dataclass(frozen=True, slots=True)
class ChunkText:
    """One chunk of a job: its span, its headings and its text."""

    VIEW: ClassVar[str] = "chunk_texts"

    job_id: UUID
    batch_id: UUID
    batch: str
    source: str
    index: int
    start_at: int
    end_at: int
    headings: list[Any]
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class SentenceText:
    """One sentence of a summary: its span, its text, its verdict and its citations.

    A citation is an object of ``start`` and ``end`` in the document, ``text`` and ``headings``.
    """

    VIEW: ClassVar[str] = "summary_sentences"

    job_id: UUID
    batch_id: UUID
    batch: str
    source: str
    index: int
    start_at: int
    end_at: int
    text: str
    kind: str
    score: float | None
    reason: str | None
    citations: list[Any]


def view_of(kind: type[View]) -> TableClause:
    """Return a view for use in statements."""
    return table(kind.VIEW, *(column(field.name) for field in fields(kind)))


def read_rows(session: Session, kind: type[Row], statement: Select[Any]) -> Iterator[Row]:
    """Run a statement that selects all columns of a view, and stream its rows."""
    # A server-side cursor: a batch of any size takes constant memory.
    with session.execute(statement, execution_options={"yield_per": 500}) as result:
        for row in result:
            yield kind(**row._mapping)


def read_row(session: Session, kind: type[Row], statement: Select[Any], *, name: str) -> Row:
    """Run a statement that selects all columns of a view, and return its only row.

    Args:
        session: only read.
        kind: type of the row.
        statement: the statement.
        name: of what the row is about, for the error.

    Raises:
        UnknownIdError: there is no row, as after a deletion.
    """
    row = session.execute(statement).one_or_none()
    if row is None:
        raise UnknownIdError(f"there is no {name}; it may have been deleted")
    return kind(**row._mapping)
