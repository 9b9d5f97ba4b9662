"""The summaries of a batch that a digest is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, null, select
from sqlalchemy.orm import Session

from models.job import OPEN_STATES, SUMMARIZED_STATES, Job
from models.sentence import SentenceKind, SummarySentence
from models.tables import Document
from producer.composition import PartSummary
from producer.errors import SubmissionError
from producer.wording import count

# Columns that an error about an unknown column lists.
SHOWN_COLUMNS = 10
# Start, end and index of a sentence in its summary.
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Parts:
    """Summaries of a batch that a digest can be made of, and how many jobs are left out.

    Args:
        summaries: in the order of the input; of a document that was submitted again, under its name or with the same
            text under another, the latest, at its first place.
        unfinished: number of jobs that have not ended.
        failed: number of jobs that ended without a summary that can be used.
        outdated: number of earlier summaries of documents that were submitted again.
        flagged: number of sentences that their documents do not bear out; they are left out.
    """

    summaries: tuple[PartSummary, ...]
    unfinished: int
    failed: int
    outdated: int
    flagged: int

    def describe(self, batch: str) -> Iterator[str]:
        """Yield sentences about what is left out."""
        if self.unfinished:
            yield f"{count(self.unfinished, 'job')} of batch {batch} not ended: left out"
        if self.failed:
            yield f"{count(self.failed, 'job')} of batch {batch} without a summary: left out"
        if self.outdated:
            yield f"{count(self.outdated, 'earlier summary', 'earlier summaries')} of the same documents: left out"
        if self.flagged:
            yield f"{count(self.flagged, 'flagged sentence')} of the summaries: left out"


def read_parts(session: Session, batch: UUID, *, by: str | None) -> Parts:
    """Return the summaries of a batch.

    Raises:
        SubmissionError: none of its documents has a value in the column.
    """
    value = null() if by is None else Document.details[by].astext
    rows = session.execute(
        select(
            Job.id,
            Job.source,
            Job.state,
            Job.summary,
            Document.sha256,
            Document.title,
            func.coalesce(value, "").label("group"),
        )
        .join(Document, Document.sha256 == Job.document_sha256)
        .where(Job.batch_id == batch)
        .order_by(Job.position, Job.id)
    ).all()
    if by is not None and rows and not any(row.group for row in rows):
        raise SubmissionError(_explain_column(session, batch, by))
    sentences, flagged = _read_sentences(session, batch)
    # A key keeps its first place.
    latest_of_name: dict[str, tuple[str, PartSummary]] = {}
    usable = 0
    for row in rows:
        summary = row.summary if row.state in SUMMARIZED_STATES else ""
        places = sentences.get(row.id, [(0, len(summary), 0)])
        texts = {index: text for start, end, index in places if (text := summary[start:end]).strip()}
        if texts:
            usable += 1
            part = PartSummary(row.id, row.title or row.source, row.group, texts)
            latest_of_name[row.source] = (row.sha256, part)
    latest = dict(latest_of_name.values())
    unfinished = sum(row.state in OPEN_STATES for row in rows)
    return Parts(
        summaries=tuple(latest.values()),
        unfinished=unfinished,
        failed=len(rows) - usable - unfinished,
        outdated=usable - len(latest),
        flagged=flagged,
    )


def _read_sentences(session: Session, batch: UUID) -> tuple[dict[UUID, list[Place]], int]:
    """Return the places of a batch's sentences by job, without the flagged ones, and the number of those."""
    found: dict[UUID, list[Place]] = {}
    flagged = 0
    rows = session.execute(
        select(SummarySentence)
        .join(Job, Job.id == SummarySentence.job_id)
        .where(Job.batch_id == batch)
        .order_by(SummarySentence.job_id, SummarySentence.index)
    )
    for sentence in rows.scalars():
        kept = found.setdefault(sentence.job_id, [])
        if sentence.kind == SentenceKind.FLAGGED:
            flagged += 1
        else:
            kept.append((sentence.start_at, sentence.end_at, sentence.index))
    return found, flagged


def _explain_column(session: Session, batch: UUID, column: str) -> str:
    keys = select(func.jsonb_object_keys(Document.details)).join(Job, Job.document_sha256 == Document.sha256)
    names = session.scalars(keys.where(Job.batch_id == batch).distinct().limit(SHOWN_COLUMNS)).all()
    known = f"; they have {', '.join(sorted(names))}" if names else "; their sources had no other columns"
    return f"no document of the batch has a column {column!r}{known}"
