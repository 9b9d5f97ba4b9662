"""Quotations: outputs that are text of the document, word for word, with the span of every sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workers.evaluation.lexical import split_sentences
from workers.summarization.languages import is_in_language
from workers.summarization.lengths import MAX_EXCESS, count_words
from workers.summarization.packing import Span
from workers.summarization.prose import split_whole
from workers.summarization.structure import Heading

# A text of no more tokens needs no summary: about three sentences, as long as what the packaged weights write.
MAX_QUOTED_TOKENS = 80
OPENING_MARK, CLOSING_MARK = "\u201c", "\u201d"
_QUOTE_MARKS = re.compile(f"[{OPENING_MARK}{CLOSING_MARK}]|\n\n")
_QUOTED = re.compile(r"[\"\u201c\u201e\u00ab](.*)[\"\u201d\u00bb]\W*", re.DOTALL)
# German opens a quotation with this mark, and closes it with the one that opens it in English.
_LOW_MARK = "\u201e"
# Styles whose summary of such a text is the text; the others put it in other words.
PLAIN_STYLES = ("technical", "news")


@dataclass(frozen=True, slots=True)
class QuotedSentence:
    """Sentence of an output and its place in the document; offsets in characters, the end exclusive."""

    start: int
    end: int
    span: Span

    def move(self, offset: int) -> QuotedSentence:
        """Return the sentence with its place moved, from offsets in a part of the document to those in the document."""
        return replace(self, span=(self.span[0] + offset, self.span[1] + offset))

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


def is_own_summary(
    text: str,
    *,
    tokens: int,
    max_new_tokens: int,
    style: str,
    language: str | None = None,
    words: int | None = None,
) -> bool:
    """Tell whether a text is so short that it stands for its summary, word for word.

    Args:
        text: a chunk, or the whole document.
        tokens: its size.
        max_new_tokens: maximum tokens of a summary.
        style: style of the summary; those that put the text in other words need a call.
        language: English name of the requested language; a text in another one needs a call.
        words: requested length.
    """
    return (
        tokens <= min(MAX_QUOTED_TOKENS, max_new_tokens)
        and style in PLAIN_STYLES
        and is_in_language(text, language)
        and (words is None or count_words(text) <= words * MAX_EXCESS)
    )


def read_quoted(text: str) -> str | None:
    """Return what a text in quotation marks says; None if not all of it stands in them."""
    quoted = _QUOTED.fullmatch(text)
    return quoted[1] if quoted else None


def drop_open_quotes(text: str) -> str:
    """Return a text without the marks that open a quotation which nothing closes in its paragraph."""
    if _LOW_MARK in text:
        return text
    dangling, opened = set(), None
    for found in [*_QUOTE_MARKS.finditer(text), None]:
        is_closing = found is not None and found[0] == CLOSING_MARK
        if opened is not None and not is_closing:
            dangling.add(opened)
        opened = found.start() if found is not None and found[0] == OPENING_MARK else None
    return "".join(character for place, character in enumerate(text) if place not in dangling)


def quote_spans(document: str, spans: Sequence[Span]) -> Quotation:
    """Return the sentences at some spans of a document as one text.

    The line breaks within them become spaces; a sentence without an end, such as an item of a list, ends its line.
    """
    text = ""
    sentences: list[QuotedSentence] = []
    for start, end in spans:
        sentence = " ".join(document[start:end].split())
        if text:
            text += " " if ends_sentence(text[sentences[-1].start :]) else "\n"
        text += sentence
        sentences.append(QuotedSentence(len(text) - len(sentence), len(text), (start, end)))
    return Quotation(text, tuple(sentences))


def ends_sentence(sentence: str, following: str = "Next") -> bool:
    """Tell whether a text that follows a sentence on its line, behind a space, is read as another sentence."""
    return any(one.start == len(sentence) + 1 for one in split_whole(f"{sentence} {following}"))


def quote_whole(text: str, *, offset: int, headings: Sequence[Heading] = ()) -> Quotation:
    """Return a part of a document as it is, or its sentences without the headings among them.

    Args:
        text: the part, without white space at its ends.
        offset: place of its first character in the document.
        headings: of the part.
    """
    found = split_sentences(text)
    below = [one for one in found if not any(heading.start <= one.start < heading.end for heading in headings)]
    if below and len(below) < len(found):
        quoted = quote_spans(text, [(one.start, one.end) for one in below])
        return Quotation(quoted.text, tuple(sentence.move(offset) for sentence in quoted.sentences))
    return Quotation(
        text,
        tuple(QuotedSentence(one.start, one.end, (offset + one.start, offset + one.end)) for one in found),
    )
