"""Spans of the false words of a corrupted claim, found by comparing it with the claim that it was made from.

A verifier judges every token; these spans are the labels of its training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from workers.evaluation.lexical import read_words

Span = tuple[int, int]

# Numbers keep their currency, decimals and percent sign; punctuation after a word is not a part of it.
_WORD = re.compile(r"[\w$£€](?:\S*[\w%])?")


def find_changes(claim: str, original: str) -> tuple[Span, ...] | None:
    """Return the spans of a claim's words that differ from its original; None if words are missing but none differs."""
    words = list(_WORD.finditer(claim))
    after = [word[0].casefold() for word in words]
    before = [word.casefold() for word in _WORD.findall(original)]
    if sorted(after) == sorted(before):
        # Names in each other's place: a comparison would find one of them, and the verb between them.
        return _find_exchanged(words, after, before)
    edits = SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    changed = [words[first:last] for kind, _, _, first, last in edits if kind in ("replace", "insert")]
    return tuple((run[0].start(), run[-1].end()) for run in changed) or None


def _find_exchanged(
    words: Sequence[re.Match[str]], after: Sequence[str], before: Sequence[str]
) -> tuple[Span, ...] | None:
    """Return the words in each other's place: two single words, or names from the first to the last moved word."""
    moved = [place for place in range(len(words)) if after[place] != before[place]]
    if len(moved) == 2:
        return tuple(words[place].span() for place in moved)
    region = words[moved[0] : moved[-1] + 1] if moved else ()
    return tuple(word.span() for word in region if word[0][0].isupper()) or None


def list_content(claim: str) -> tuple[Span, ...]:
    """Return the spans of a claim's content words."""
    return tuple((word.start, word.end) for word in read_words(claim) if word.is_content)


def shift_spans(spans: Sequence[Span], offset: int) -> tuple[Span, ...]:
    """Return spans for a claim that has this many characters before it."""
    return tuple((start + offset, end + offset) for start, end in spans)
