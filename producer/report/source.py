"""The text of a document cut at its cited passages, so that a page can mark each and lead from it to its sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from producer.citations import CitedSentence

# Characters kept before and after a passage where the text is too long for a page.
CONTEXT = 2_000


@dataclass(frozen=True, slots=True)
class SourcePiece:
    """A span of a document.

    Args:
        start: where it begins, in code points.
        text: the span; "" where it is left out.
        numbers: numbers of the sentences that cite it.
        left_out: number of characters left out.
    """

    start: int
    text: str
    numbers: tuple[int, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A span of a document and the number of a sentence that cites it; the end is exclusive."""

    start: int
    end: int
    number: int


def cut_source(
    text: str, sentences: Iterable[CitedSentence], *, max_characters: int | None = None
) -> Iterator[SourcePiece]:
    """Yield the pieces of a document in order, cut where a cited passage begins or ends.

    Args:
        text: the document.
        sentences: sentences of its summary.
        max_characters: a longer document is reduced to its beginning and to its passages with their surroundings.
    """
    cited = list(_list_cited(sentences, len(text)))
    kept = [(0, len(text))]
    if max_characters is not None and len(text) > max_characters:
        kept = _choose_kept(len(text), cited)
    end = 0
    for start, stop in kept:
        if start > end:
            yield SourcePiece(end, "", left_out=start - end)
        yield from _cut_span(text, start, stop, cited)
        end = stop
    if end < len(text):
        yield SourcePiece(end, "", left_out=len(text) - end)


def _list_cited(sentences: Iterable[CitedSentence], length: int) -> Iterator[CitedSpan]:
    for sentence in sentences:
        for passage in sentence.citations:
            if sentence.number is not None and passage.start < length:
                yield CitedSpan(passage.start, min(passage.end, length), sentence.number)


def _choose_kept(length: int, cited: Sequence[CitedSpan]) -> list[tuple[int, int]]:
    """Return the beginning of a document and the surroundings of its passages, merged where they meet."""
    kept = [(0, min(2 * CONTEXT, length))]
    for span in sorted(cited, key=lambda span: span.start):
        start, end = max(0, span.start - CONTEXT), min(length, span.end + CONTEXT)
        if start <= kept[-1][1]:
            kept[-1] = kept[-1][0], max(kept[-1][1], end)
        else:
            kept.append((start, end))
    return kept


def _cut_span(text: str, start: int, end: int, cited: Sequence[CitedSpan]) -> Iterator[SourcePiece]:
    cuts = {cut for span in cited for cut in (span.start, span.end) if start < cut < end}
    for begin, stop in pairwise([start, *sorted(cuts), end]):
        numbers = {span.number for span in cited if span.start <= begin and stop <= span.end}
        yield SourcePiece(begin, text[begin:stop], tuple(sorted(numbers)))
