"""Data of a report about one document: its text, its summary and the steps between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job
from models.step import StepKind
from models.tables import Document
from models.views import ChunkText
from producer.citations import CitedSentence, cut_pieces
from producer.evidence import CheckedSentence, Evidence
from producer.provenance import (
    Node,
    Provenance,
    TextRecords,
    build_trees,
    read_provenance,
    read_texts,
    unroll_chain,
)
from producer.report.source import SourcePiece, cut_source

# Jobs of a report whose sentences are read together.
BLOCK_JOBS = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of a summary.

    Args:
        text: the span.
        sentence: set if the span is a sentence with a verdict.
        doubted: set if the check doubts it.
    """

    text: str
    sentence: CitedSentence | None = None
    doubted: CheckedSentence | None = None


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """One job of the batch, prepared for the template.

    Args:
        provenance: all records of the job.
        source: text of the document, cut at the passages that the summary cites.
        pieces: the summary, cut into its sentences.
        trees: trees of its steps, without refine.
        chain: refine steps in order of execution.
        chunks: chunks by index.
    """

    provenance: Provenance
    source: tuple[SourcePiece, ...]
    pieces: tuple[Piece, ...]
    trees: tuple[Node, ...]
    chain: tuple[Node, ...]
    chunks: dict[int, ChunkText]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One job in the index of the page."""

    job_id: UUID
    source: str
    state: str
    review: str | None


def list_index(session: Session, batch_id: UUID, *, limit: int | None) -> list[IndexEntry]:
    """Return the jobs of a batch in the order of its input, for the index."""
    columns = select(Job.id, Job.source, Job.state, Job.review).where(Job.batch_id == batch_id)
    rows = session.execute(columns.order_by(Job.position, Job.id).limit(limit))
    return [IndexEntry(*row) for row in rows]


def list_documents(session: Session, batch_id: UUID, *, limit: int | None) -> Iterator[DocumentPart]:
    """Yield the jobs of a batch in the order of its input."""
    jobs = [entry.job_id for entry in list_index(session, batch_id, limit=limit)]
    for start in range(0, len(jobs), BLOCK_JOBS):
        block = jobs[start : start + BLOCK_JOBS]
        texts = read_texts(session, block)
        for job in block:
            yield read_part(session, job, texts=texts)


def read_part(
    session: Session, job_id: UUID, *, max_characters: int | None = None, texts: TextRecords | None = None
) -> DocumentPart:
    """Return one job, prepared for a page.

    Args:
        session: session of the results database.
        job_id: id of the job.
        max_characters: a longer document is reduced to its beginning and to its passages with their surroundings.
        texts: sentences and notes that were read with those of other jobs.
    """
    provenance = read_provenance(session, job_id, texts=texts)
    text = select(Document.text).where(Document.sha256 == provenance.job.document_sha256)
    source = cut_source(session.execute(text).scalar_one(), provenance.sentences, max_characters=max_characters)
    roots = build_trees(provenance.steps)
    refine = [root for root in roots if root.step.kind == StepKind.REFINE]
    return DocumentPart(
        provenance=provenance,
        source=tuple(source),
        pieces=tuple(cut_summary(provenance.job.summary or "", provenance.sentences, provenance.evidence)),
        trees=tuple(root for root in roots if root.step.kind != StepKind.REFINE),
        chain=tuple(node for root in refine for node in unroll_chain(root)),
        chunks={chunk.index: chunk for chunk in provenance.chunks},
    )


def cut_summary(summary: str, sentences: Sequence[CitedSentence], evidence: Evidence) -> Iterator[Piece]:
    """Yield the pieces of a summary: its sentences with their verdicts, or else those that the check doubts."""
    summary = summary.rstrip()
    if not sentences:
        yield from _cut_doubted(summary, evidence)
        return
    for piece in cut_pieces(summary, sentences):
        yield Piece(piece.text, piece.sentence, _find_doubted(piece.sentence, evidence))


def _cut_doubted(summary: str, evidence: Evidence) -> Iterator[Piece]:
    end = 0
    for doubted in evidence.sentences:
        if doubted.doubts:
            yield Piece(summary[end : doubted.start])
            yield Piece(summary[doubted.start : doubted.end], doubted=doubted)
            end = doubted.end
    yield Piece(summary[end:])


def _find_doubted(sentence: CitedSentence | None, evidence: Evidence) -> CheckedSentence | None:
    """Return the first doubtful sentence of the check that shares characters with a sentence."""
    if sentence is None:
        return None
    overlapping = (other for other in evidence.sentences if other.start < sentence.end and sentence.start < other.end)
    return next((other for other in overlapping if other.doubts), None)
