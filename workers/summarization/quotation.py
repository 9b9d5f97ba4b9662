"""Quotations: outputs that are text of the document, word for word, with the span of every sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.lexical import split_sentences
from workers.summarization.packing import Span


@dataclass(frozen=True, slots=True)
class QuotedSentence:
    """Sentence of an output and its place in the document; offsets in characters, the end exclusive."""

    start: int
    end: int
    span: Span

    def describe(self) -> dict[str, object]:
        """Return the entry of ``steps.sentences``."""
        return {
            "start": self.start,
            "end": self.end,
            "kind": "quoted",
            "score": None,
            "reason": None,
            "spans": [list(self.span)],
        }


@dataclass(frozen=True, slots=True)
class Quotation:
    """Output that quotes the document, with its sentences in order."""

    text: str
    sentences: tuple[QuotedSentence, ...]


def quote_spans(document: str, spans: Sequence[Span]) -> Quotation:
    """Return the sentences at some spans of a document as one text; the line breaks within them become spaces."""
    text = ""
    sentences: list[QuotedSentence] = []
    for start, end in spans:
        sentence = " ".join(document[start:end].split())
        text += f" {sentence}" if text else sentence
        sentences.append(QuotedSentence(len(text) - len(sentence), len(text), (start, end)))
    return Quotation(text, tuple(sentences))


def quote_whole(text: str, *, offset: int) -> Quotation:
    """Return a part of a document as it is.

    Args:
        text: the part, without white space at its ends.
        offset: place of its first character in the document.
    """
    found = split_sentences(text)
    return Quotation(
        text,
        tuple(QuotedSentence(one.start, one.end, (offset + one.start, offset + one.end)) for one in found),
    )
