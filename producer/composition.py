"""Composition of a digest's document: a section for each document of a batch, which holds its stored summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.base import Json
from producer.wording import clean_line

# Signs at the beginning of a sentence that Markdown would take for markup of a block.
_BLOCK_MARKS = re.compile(r"(?:[#>*+\-|=]+(?: |$)|[`~]{3,} ?)+")
_QUOTED = re.compile(r"[\"\u201c\u201e\u00ab]([^\"\u201c\u201d\u201e\u00ab\u00bb]*)[\"\u201d\u00bb]", re.DOTALL)
_ENDED = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964][\"'\u201d\u2019)\u00bb]*\Z")


@dataclass(frozen=True, slots=True)
class PartSummary:
    """Summary of one job, to be a section of a digest's document.

    Args:
        job_id: the job.
        title: title of its document, or its name.
        group: value of the column that the digests are made by; "" without one.
        sentences: sentences of the summary by their index in it; the text is not blank.
    """

    job_id: UUID
    title: str
    group: str
    sentences: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Composition:
    """Composed document.

    Args:
        text: Markdown, a heading of the second level above each summary.
        parts: values of the rows of ``digest_parts`` without the digest.
    """

    text: str
    parts: tuple[Json, ...]


def clean_sentence(text: str) -> str:
    """Return a sentence of a summary as a digest's document holds it: in one line, without marks of a quotation."""
    line = " ".join(text.split())
    marks = _BLOCK_MARKS.match(line)
    line = line[marks.end() :] if marks else line
    quoted = _QUOTED.fullmatch(line)
    return quoted[1].strip() if quoted else line


def compose(summaries: Iterable[PartSummary]) -> Composition:
    """Compose the document of a digest."""
    text = ""
    parts: list[Json] = []
    for index, summary in enumerate(summaries):
        text += "\n\n" if text else ""
        start = len(text)
        text += f"## {clean_line(summary.title).strip()}\n\n"
        spans: list[list[int]] = []
        for place, gap, sentence in _space_sentences(summary.sentences):
            text += gap
            spans.append([len(text), len(text) + len(sentence), place])
            text += sentence
        parts.append(
            {"index": index, "job_id": summary.job_id, "start_at": start, "end_at": len(text), "sentences": spans}
        )
    return Composition(text, tuple(parts))


def group_summaries(summaries: Sequence[PartSummary]) -> dict[str, list[PartSummary]]:
    """Return summaries by their group, in the order of the first of each."""
    groups: dict[str, list[PartSummary]] = {}
    for summary in summaries:
        groups.setdefault(summary.group, []).append(summary)
    return groups


def _space_sentences(sentences: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Yield each sentence with its index and with what stands before it; one without an end ends its paragraph."""
    gap = ""
    for place, text in sentences.items():
        if sentence := clean_sentence(text):
            yield place, gap, sentence
            gap = " " if _ENDED.search(sentence) else "\n\n"
