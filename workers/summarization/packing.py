"""Cut a span of a text into spans that fit a token budget, at the most natural places there are.

The cuts are found by LangChain's recursive splitter, from paragraphs down to single characters; it keeps every
separator, so its pieces laid end to end are the text again and their lengths are the offsets. Token counts are not
additive (a merge may cross a cut), so every span is measured as a whole and split again if it does not fit.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

from workers.summarization.errors import SplitError
from workers.summarization.structure import EDGE, GAP, ROW, UNMASK

Span = tuple[int, int]

# Regular expressions over a masked text, coarse to fine; possessive, so that no text makes them slow.
SUBHEADINGS = tuple(rf"[\n{EDGE}](?= {{0,3}}#{{{level}}}[ \t])" for level in range(1, 7))
PARAGRAPHS = (rf"\n(?:[ \t]*\n)++|{EDGE}", ROW)
SENTENCES = (
    # An end of sentence, closing quotes and white space before no small letter; the full-width stops of Chinese and
    # Japanese, which no space follows; and the line end before a list item.
    r"(?<![.!?…])[.!?…]++[\"'\u201d\u2019)\]]*+\s++(?=[^a-z])|[\u3002\uff01\uff1f]++"
    r"|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t])",
    r"\n",
)
# Words are cut before their space, as the tokenizer sees them. Sixteen characters are measured together before single
# ones are, because counting is what costs time.
WORDS = (rf"(?<=[^\s{GAP}])(?=[\s{GAP}])", r"[\s\S]{16}", "")

# Aiming a little above the even share leaves room for uneven pieces and still avoids a tiny last chunk.
EVEN_SHARE_SLACK = 1.1

# How much less two spans may have as one: what the seam between them can save.
JOINING_SLACK = 1.05


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs spans of one text.

    Args:
        text: the document.
        masked: its masked copy, where the separators are looked for.
        separators: regular expressions, coarse to fine; the last one cuts anywhere.
        is_even: whether chunks of about equal size are better than full ones and a small last one.
        count: counts tokens like the serving weights; asked again and again for the same pieces, so cached.
    """

    text: str
    masked: str
    separators: Sequence[str]
    is_even: bool
    count: Callable[[str], int]

    def pack(self, span: Span, budget: int) -> list[Span]:
        """Return spans that cover every non-blank character of a trimmed one, each of them within the budget."""
        total = self.measure(span)
        if total <= budget:
            return [span]
        share = math.ceil(total / math.ceil(total / budget) * EVEN_SHARE_SLACK)
        return self._split(span, budget, target=min(budget, share) if self.is_even else budget)

    def measure(self, span: Span) -> int:
        """Count the tokens of a span."""
        return self.count(self.text[span[0] : span[1]])

    def _split(self, span: Span, budget: int, *, target: int) -> list[Span]:
        if span[1] - span[0] == 1:
            character = self.text[span[0]]
            raise SplitError(f"the character {character!r} alone has over {budget} tokens: use larger chunks")
        packed: list[Span] = []
        for part in self._join(self._cut(span, target), budget):
            fits = self.measure(part) <= budget
            packed += [part] if fits else self._split(part, budget, target=target // 2)
        return packed

    def _cut(self, span: Span, target: int) -> Iterator[Span]:
        """Yield LangChain's pieces as trimmed spans; they end to end are the whole span."""
        splitter = RecursiveCharacterTextSplitter(
            separators=list(self.separators),
            is_separator_regex=True,
            keep_separator="end",
            strip_whitespace=False,
            chunk_size=max(1, target),
            chunk_overlap=0,
            length_function=lambda piece: self.count(piece.translate(UNMASK)),
        )
        start = span[0]
        for piece in splitter.split_text(self.masked[span[0] : span[1]]):
            end = start + len(piece)
            trimmed = trim_span(self.text, (start, end))
            if trimmed[0] < trimmed[1]:
                yield trimmed
            start = end

    def _join(self, parts: Iterable[Span], budget: int) -> list[Span]:
        """Merge neighbours that fit together: the splitter leaves crumbs around every piece it had to cut."""
        joined: list[Span] = []
        for part in parts:
            if joined and self._fit_together(joined[-1], part, budget):
                joined[-1] = (joined[-1][0], part[1])
            else:
                joined.append(part)
        return joined

    def _fit_together(self, first: Span, second: Span, budget: int) -> bool:
        # Together they have about as many tokens as apart, so most pairs need no measuring of their own.
        apart = self.measure(first) + self.measure(second)
        return apart <= budget * JOINING_SLACK and self.measure((first[0], second[1])) <= budget


def trim_span(text: str, span: Span) -> Span:
    """Return the span without the white space at its ends; an empty one if there is nothing else."""
    piece = text[span[0] : span[1]]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, max(start, span[0] + len(piece.rstrip()))


_SENTENCE_STARTS = re.compile(r"(?<=[.!?…\u3002\uff01\uff1f\n])\s*+(?=\S)")
_WORD_STARTS = re.compile(r"(?<=\s)(?=\S)")

# Where to look for a start: hardly any text has more characters per token on average.
MAX_CHARACTERS_PER_TOKEN = 8


def extend_start(packer: Packer, span: Span, *, floor: int, overlap_tokens: int) -> Span:
    """Return the span with its start moved back by at most ``overlap_tokens``, not before ``floor``."""
    start = span[0]
    window = max(floor, start - overlap_tokens * MAX_CHARACTERS_PER_TOKEN)
    if overlap_tokens < 1 or window >= start:
        return span

    def fits(position: int) -> bool:
        return packer.measure(trim_span(packer.text, (position, start))) <= overlap_tokens

    for pattern in (_SENTENCE_STARTS, _WORD_STARTS):
        starts = [match.end() for match in pattern.finditer(packer.text, window, start)]
        first = bisect_left(starts, True, key=fits)
        if first < len(starts):
            return starts[first], span[1]
    return span
