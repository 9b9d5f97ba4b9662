"""Grounded answers: sentences with their verdicts and the spans of the source that bear them out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from workers.summarization.quotation import ends_sentence

SentenceKind = Literal["verified", "quoted", "flagged", "unchecked"]


@dataclass(frozen=True, slots=True)
class GroundedSentence:
    """Sentence of an answer with its verdict.

    Args:
        start: offset of its first character in the answer.
        end: offset after its last character.
        kind: verdict.
        score: probability that the source bears it out; None where no judge was asked.
        reason: why it is flagged.
        spans: spans of the source that bear it out, as offsets (start, end).
    """

    start: int
    end: int
    kind: SentenceKind
    score: float | None = None
    reason: str | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """Answer after grounding.

    Args:
        text: the text to keep; empty if nothing of it could be kept or quoted.
        sentences: its sentences, in order.
        replaced: number of generated sentences that the source did not bear out.
        language: language of the source, if the answer is in another one, so that it cannot be verified.
    """

    text: str
    sentences: tuple[GroundedSentence, ...]
    replaced: int
    language: str | None = None


def join_answers(first: GroundedAnswer, second: GroundedAnswer) -> GroundedAnswer:
    """Return two grounded answers as one, the second behind a space, or on a line of its own behind an open end."""
    gap = " " if ends_sentence(first.text, second.text) else "\n"
    offset = len(first.text) + len(gap)
    moved = (
        replace(sentence, start=sentence.start + offset, end=sentence.end + offset) for sentence in second.sentences
    )
    text = first.text + gap + second.text
    return replace(first, text=text, sentences=(*first.sentences, *moved), replaced=first.replaced + second.replaced)
