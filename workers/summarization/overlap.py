"""Overlap: let a chunk begin a little earlier, at the start of a sentence or at least of a word."""

from __future__ import annotations

import re
from bisect import bisect_left

from workers.summarization.packing import Packer, Span, trim_span

_SENTENCE_STARTS = re.compile(r"(?<=[.!?…\u3002\uff01\uff1f\n])\s*+(?=\S)")
_WORD_STARTS = re.compile(r"(?<=\s)(?=\S)")

# Where to look for a start: hardly any text has more characters per token on average.
MOST_CHARACTERS_PER_TOKEN = 8


def extend_start(packer: Packer, span: Span, *, floor: int, overlap_tokens: int) -> Span:
    """Return the span with its start moved back by at most ``overlap_tokens``, not before ``floor``."""
    start = span[0]
    window = max(floor, start - overlap_tokens * MOST_CHARACTERS_PER_TOKEN)
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
