"""Packing: cut a span of a text into spans within a token budget, at the coarsest separators that fit.

LangChain's recursive splitter finds the cuts, from paragraphs down to single characters. It keeps every separator,
so its pieces concatenate to the text and their lengths give the offsets. Token counts are not additive (a merge may
cross a cut), so every span is measured as a whole and split again if it is over the budget.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

from workers.evaluation.writing import SCRIPT_END
from workers.summarization.errors import SplitError
from workers.summarization.structure import EDGE, GAP, HEADS, ROW, UNMASK

Span = tuple[int, int]

# Regular expressions over a masked text, coarse to fine; possessive, so that no text makes them backtrack.
SUBHEADINGS = tuple(HEADS)
PARAGRAPHS = (rf"\n(?:[ \t]*[\n{HEADS}])++|[{EDGE}{HEADS}]", ROW)
SENTENCES = (
    # Sentence end, closing quotes and white space not followed by a lower-case letter; stops of other scripts, with or
    # without a space; the line end before a list item.
    rf"(?<![.!?…])[.!?…]++[\"'\u201d\u2019)\]]*+\s++(?=[^a-z])|{SCRIPT_END}\s*+"
    r"|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t])",
    r"\n",
)
# Words are cut before their space, as the tokenizer splits them. Blocks of 16 characters come before single ones,
# because counting tokens dominates the run time.
WORDS = (rf"(?<=[^\s{GAP}])(?=[\s{GAP}])", r"[\s\S]{16}", "")

# A target slightly above the even share tolerates uneven pieces and avoids a tiny last chunk.
EVEN_SHARE_SLACK = 1.1

# Upper bound of two spans' separate token counts over their joint count: the saving at the seam.
JOINING_SLACK = 1.05


@dataclass(frozen=True, slots=True)
class Packer:
    """Packer of spans of one text.

    Args:
        text: the document.
        masked: the masked copy in which separators are matched.
        separators: regular expressions, coarse to fine; the last one cuts anywhere.
        is_even: whether to prefer chunks of about equal size to full chunks with a small last one.
        count: token counter of the serving weights; cached, because pieces recur.
    """

    text: str
    masked: str
    separators: Sequence[str]
    is_even: bool
    count: Callable[[str], int]

    def pack(self, span: Span, budget: int) -> list[Span]:
        """Split a trimmed span into spans within the budget that cover its every non-blank character."""
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
        """Yield LangChain's pieces as trimmed spans, without those that are blank."""
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
        """Merge neighbours that fit together: the splitter leaves small rests around every piece it cuts."""
        joined: list[Span] = []
        for part in parts:
            if joined and self._fit_together(joined[-1], part, budget):
                joined[-1] = (joined[-1][0], part[1])
            else:
                joined.append(part)
        return joined

    def _fit_together(self, first: Span, second: Span, budget: int) -> bool:
        # The sum of the separate counts rules out most pairs without another count.
        apart = self.measure(first) + self.measure(second)
        return apart <= budget * JOINING_SLACK and self.measure((first[0], second[1])) <= budget


def trim_span(text: str, span: Span) -> Span:
    """Return the span without white space at its ends; an empty span if it is blank."""
    piece = text[span[0] : span[1]]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, max(start, span[0] + len(piece.rstrip()))


# Behind the end of a sentence or paragraph, and before an item of a list.
_SENTENCE_STARTS = re.compile(rf"(?:{SENTENCES[0]}|\n[ \t]*+\n)\s*+(?=\S)")
_LINE_STARTS = re.compile(r"\n\s*+(?=\S)")
_WORD_STARTS = re.compile(r"(?<=\s)(?=\S)")

# Bounds the search for an overlap's start: hardly any text has more characters per token.
MAX_CHARACTERS_PER_TOKEN = 8


def extend_start(packer: Packer, span: Span, *, floor: int, overlap_tokens: int) -> Span:
    """Move a span's start back to that of a sentence; of a line or a word if it stands within a sentence itself.

    Args:
        packer: counts the tokens.
        span: the span.
        floor: first start that is allowed.
        overlap_tokens: most tokens by which the span may grow.
    """
    start = span[0]
    window = max(floor, start - overlap_tokens * MAX_CHARACTERS_PER_TOKEN)
    if overlap_tokens < 1 or window >= start:
        return span

    def fits(position: int) -> bool:
        return packer.measure(trim_span(packer.text, (position, start))) <= overlap_tokens

    for pattern in (_SENTENCE_STARTS, _LINE_STARTS, _WORD_STARTS):
        starts = [match.end() for match in pattern.finditer(packer.text, window, start + 1)]
        is_clean = pattern is _SENTENCE_STARTS and starts[-1:] == [start]
        starts = [position for position in starts if position < start]
        first = bisect_left(starts, True, key=fits)
        if first < len(starts):
            return starts[first], span[1]
        if is_clean:
            break
    return span
