"""What a report shows of one document: its source, its summary and the steps between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job
from models.step import StepKind
from models.tables import Document
from models.views import ChunkText
from producer.evidence import CheckedSentence, Evidence
from producer.provenance import Node, Provenance, build_trees, read_provenance, unroll_chain


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a summary; with a sentence if there is a doubt about it."""

    text: str
    sentence: CheckedSentence | None = None


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """One job of the batch, ready to be shown.

    Args:
        provenance: everything about the job.
        text: the document.
        pieces: the summary, cut at the sentences in doubt.
        trees: the steps above what they read, one tree for an ended job.
        chain: the steps of refine, the first one first.
        chunks: by index.
    """

    provenance: Provenance
    text: str
    pieces: tuple[Piece, ...]
    trees: tuple[Node, ...]
    chain: tuple[Node, ...]
    chunks: dict[int, ChunkText]


def list_documents(session: Session, batch_id: UUID, *, limit: int | None) -> Iterator[DocumentPart]:
    """Yield the jobs of a batch in the order of their submission."""
    ids = session.scalars(
        select(Job.id).where(Job.batch_id == batch_id).order_by(Job.created_at, Job.source, Job.id).limit(limit)
    ).all()
    for job_id in ids:
        yield _read_part(session, job_id)


def _read_part(session: Session, job_id: UUID) -> DocumentPart:
    provenance = read_provenance(session, job_id)
    roots = build_trees(provenance.steps)
    refine = [root for root in roots if root.step.kind == StepKind.REFINE]
    return DocumentPart(
        provenance=provenance,
        text=session.execute(
            select(Document.text).where(Document.sha256 == provenance.job.document_sha256)
        ).scalar_one(),
        pieces=tuple(cut_summary(provenance.job.summary or "", provenance.evidence)),
        trees=tuple(root for root in roots if root.step.kind != StepKind.REFINE),
        chain=tuple(node for root in refine for node in unroll_chain(root)),
        chunks={chunk.index: chunk for chunk in provenance.chunks},
    )


def cut_summary(summary: str, evidence: Evidence) -> Iterator[Piece]:
    """Yield a summary piece by piece, the sentences in doubt apart from what is between them."""
    end = 0
    for sentence in evidence.sentences:
        if sentence.doubts:
            yield Piece(summary[end : sentence.start])
            yield Piece(summary[sentence.start : sentence.end], sentence)
            end = sentence.end
    yield Piece(summary[end:].rstrip())
