"""Sentences of a summary with their verdicts and the passages of the document that bear them out, for people."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from models.lookup import list_details, list_sentences
from models.sentence import SentenceKind
from models.views import SentenceText
from producer.sources.page_starts import PAGE_STARTS, find_page

# Characters of a passage in one line.
PASSAGE = 200
# A stop, with the quotation marks and brackets behind it.
SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]\u00bb]*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of the document that a sentence cites, with its place; in code points, the end is exclusive."""

    start: int
    end: int
    text: str
    headings: tuple[str, ...]
    page: int | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Where it stands, for people: its page, if the document has pages, then the headings above it."""
        return self.headings if self.page is None else (f"page {self.page}", *self.headings)


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A document that a sentence of a digest cites.

    Args:
        job_id: the job that summarized it.
        source: its name.
        title: its title.
        passages: its passages that bear out the cited sentences of its summary.
    """

    job_id: UUID
    source: str
    title: str | None
    passages: tuple[Passage, ...]

    @property
    def label(self) -> str:
        """Its name, with its title if it has one."""
        return f"{self.source}: {self.title}" if self.title and self.title != self.source else self.source


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence of a summary with its verdict and its citations.

    Args:
        number: number of its mark ``[1]``; None for a sentence without a verdict and without citations.
        start: where it begins in the summary, in code points.
        end: where it ends; exclusive.
        text: the sentence.
        kind: its verdict.
        score: probability, by the verifier, that the document bears it out.
        reason: why it is flagged.
        citations: the passages that bear it out.
        documents: of a digest, the documents whose summaries hold those passages.
    """

    number: int | None
    start: int
    end: int
    text: str
    kind: str
    score: float | None
    reason: str | None
    citations: tuple[Passage, ...]
    documents: tuple[CitedDocument, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict in words, with the reason if there is one."""
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


@dataclass(frozen=True, slots=True)
class SummaryPiece:
    """A piece of a summary: a sentence, or the text between two sentences."""

    text: str
    sentence: CitedSentence | None = None


def read_sentences(session: Session, jobs: Sequence[UUID]) -> Mapping[UUID, tuple[CitedSentence, ...]]:
    """Return the sentences of the summaries of jobs, by job; a job without stored sentences is left out."""
    by_job: dict[UUID, list[SentenceText]] = defaultdict(list)
    for row in list_sentences(session, jobs):
        by_job[row.job_id].append(row)
    starts = list_details(session, by_job, PAGE_STARTS)
    return {job: tuple(number_sentences(rows, page_starts=starts.get(job))) for job, rows in by_job.items()}


def number_sentences(rows: Iterable[SentenceText], *, page_starts: str | None = None) -> Iterator[CitedSentence]:
    """Yield the sentences of one summary with the numbers of their marks.

    Args:
        rows: the sentences in order.
        page_starts: where the document's pages begin, as its metadata has it.
    """
    number = 0
    for row in rows:
        is_marked = bool(row.citations) or row.kind != SentenceKind.UNCHECKED
        number += is_marked
        yield CitedSentence(
            number=number if is_marked else None,
            start=row.start_at,
            end=row.end_at,
            text=row.text,
            kind=row.kind,
            score=row.score,
            reason=row.reason,
            citations=tuple(_join_lines(_read_passage(citation, page_starts) for citation in row.citations)),
        )


def _join_lines(passages: Iterable[Passage]) -> Iterator[Passage]:
    """Yield passages, the lines of one sentence joined: each is a passage in a text with hard line breaks."""
    last: Passage | None = None
    for passage in passages:
        if last is not None and _goes_on(last, passage):
            last = replace(last, end=passage.end, text=f"{last.text}\n{passage.text}")
            continue
        if last is not None:
            yield last
        last = passage
    if last is not None:
        yield last


def _goes_on(last: Passage, following: Passage) -> bool:
    """Tell whether a passage is the next line of the sentence that the one before began."""
    is_next = following.start - last.end == 1 and last.places == following.places
    return is_next and not SENTENCE_END.search(last.text)


def _read_passage(stored: dict[str, Any], page_starts: str | None) -> Passage:
    return Passage(
        start=stored["start"],
        end=stored["end"],
        text=stored["text"],
        headings=tuple(map(str, stored["headings"])),
        page=find_page(page_starts, stored["start"]),
    )


def cut_pieces(summary: str, sentences: Iterable[CitedSentence]) -> Iterator[SummaryPiece]:
    """Yield the pieces of a summary in order; together they are the summary."""
    end = 0
    for sentence in sentences:
        if sentence.start > end:
            yield SummaryPiece(summary[end : sentence.start])
        yield SummaryPiece(summary[sentence.start : sentence.end], sentence)
        end = sentence.end
    if summary[end:]:
        yield SummaryPiece(summary[end:])


def mark_summary(summary: str, sentences: Iterable[CitedSentence]) -> str:
    """Return a summary with the marks ``[1]`` of its sentences."""
    return "".join(piece.text + _format_mark(piece.sentence) for piece in cut_pieces(summary, sentences))


def _format_mark(sentence: CitedSentence | None) -> str:
    return "" if sentence is None or sentence.number is None else f" [{sentence.number}]"


def shorten_passage(text: str) -> str:
    """Return a passage as one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= PASSAGE else line[: PASSAGE - 1] + "…"
