"""Resolution of a digest's citations: from spans of its composed document to documents and their passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job
from models.tables import DigestPart, Document
from producer.citations import CitedDocument, CitedSentence, Passage, read_sentences
from producer.composition import clean_sentence

Sentences = Mapping[UUID, tuple[CitedSentence, ...]]


@dataclass(frozen=True, slots=True)
class ResolvedPart:
    """Section of a composed document.

    Args:
        document: the document whose summary it holds, without passages.
        start: its first character in the composed document.
        end: where it ends; exclusive.
        sentences: start, end and index of each sentence of the summary.
    """

    document: CitedDocument
    start: int
    end: int
    sentences: Sequence[Sequence[int]]


def read_cited(session: Session, jobs: Sequence[UUID]) -> Sentences:
    """Return the sentences of the summaries of jobs, by job, those of digests with the documents that they cite."""
    return resolve_citations(session, read_sentences(session, jobs))


def resolve_citations(session: Session, sentences: Sentences) -> Sentences:
    """Return the sentences of summaries; those of digests with the documents and passages behind their citations.

    Args:
        session: only read.
        sentences: sentences by job. Where a job behind a digest is a digest itself, its documents are cited.
    """
    parts = _read_parts(session, list(sentences))
    if not parts:
        return sentences
    behind = read_cited(session, list({part.document.job_id for found in parts.values() for part in found}))
    return {
        job: tuple(
            replace(sentence, documents=tuple(_list_documents(sentence, parts.get(job, ()), behind)))
            for sentence in found
        )
        for job, found in sentences.items()
    }


def list_digested(session: Session, job: UUID) -> tuple[CitedDocument, ...]:
    """Return the documents behind a digest, without passages; of a digest among them, its own. Empty for other jobs."""
    documents: dict[UUID, CitedDocument] = {}
    level = [job]
    while level:
        parts = _read_parts(session, level)
        # A digest is no document: its parts are.
        documents = {known: document for known, document in documents.items() if known not in parts}
        found = {part.document.job_id: part.document for listed in parts.values() for part in listed}
        level = [known for known in found if known not in documents]
        documents |= found
    return tuple(documents.values())


def _read_parts(session: Session, jobs: Sequence[UUID]) -> dict[UUID, list[ResolvedPart]]:
    rows = session.execute(
        select(
            *(DigestPart.digest_id, DigestPart.start_at, DigestPart.end_at, DigestPart.sentences),
            *(Job.id, Job.source, Document.title),
        )
        .join(Job, Job.id == DigestPart.job_id)
        .join(Document, Document.sha256 == Job.document_sha256)
        .where(DigestPart.digest_id.in_(jobs))
        .order_by(DigestPart.digest_id, DigestPart.index)
    )
    found: dict[UUID, list[ResolvedPart]] = defaultdict(list)
    for digest, start, end, sentences, job, source, title in rows:
        found[digest].append(ResolvedPart(CitedDocument(job, source, title, ()), start, end, sentences))
    return dict(found)


def _list_documents(
    sentence: CitedSentence, parts: Sequence[ResolvedPart], behind: Sentences
) -> Iterator[CitedDocument]:
    """Yield the documents that a sentence cites, each once with all its passages."""
    passages: dict[UUID, tuple[CitedDocument, dict[Passage, None]]] = {}
    for citation in sentence.citations:
        for part in parts:
            if part.start < citation.end and citation.start < part.end:
                for document in _resolve(citation, part, behind):
                    _, known = passages.setdefault(document.job_id, (document, {}))
                    known.update(dict.fromkeys(document.passages))
    yield from (replace(document, passages=tuple(known)) for document, known in passages.values())


def _resolve(citation: Passage, part: ResolvedPart, behind: Sentences) -> Iterator[CitedDocument]:
    """Yield the document of a part with the passages of each sentence that a citation meets; of a digest, its own."""
    said = behind.get(part.document.job_id, ())
    met = [
        said[index]
        for start, end, index in part.sentences
        if start < citation.end
        and citation.start < end
        and index < len(said)
        and _holds(said[index], citation, start, end)
    ]
    for sentence in met:
        yield from sentence.documents or (replace(part.document, passages=sentence.citations),)
    if not met:
        yield part.document


def _holds(sentence: CitedSentence, citation: Passage, start: int, end: int) -> bool:
    """Tell whether a sentence is still the one that was composed: a retry may have replaced the summary since."""
    first, last = max(start, citation.start), min(end, citation.end)
    return citation.text[first - citation.start : last - citation.start] in clean_sentence(sentence.text)
