"""Wrapped lines: the line ends that a text has only because its lines were too long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from workers.summarization.prose import ENDS, WRAPPED_LINE, find_paragraphs

# Two spaces or a backslash before a line end keep it, in Markdown.
_KEPT = re.compile(r"(?: {2}|\\)\Z")
_FIRST_LETTER = re.compile(r"[^\W\d_]")
_LINE = re.compile(r"[^\n]+")
# Columns, fields between commas, and dots that lead to a number are no running text, nor is a paragraph with a line
# that begins with a label, an assignment, a number of a heading or the mark of an item.
_COLUMNS = re.compile(r"[^\s.!?:] {2,}\S|(?:,\S[^,\n]*){3}|\.{4}")
_BEGINNING = re.compile(
    r"\s*(?:[\w-]+(?: [\w-]+)?:(?:\s|\Z)|[\w.-]+ (?::?=|->)\s|\(?(?:\d{1,3}|[ivx]{1,4}|[a-z])[.)]\s"
    r"|\d+(?:\.\d+)+\s|o\s{2}|[^\w\s\"'(\u201c\u201e\u2018\u00ab`*\[$\u20ac\u00a3])"
)
# A hyphen that divides a word at the end of a line, or joins two, unlike that of "up- and downstream".
_DIVIDED = re.compile(r"[^\W\d_]-\Z")
_DIVIDING = re.compile(r"\s*(?!(?:and|or|to|und|oder|bis)\b)[^\W\d_]")
# Share of the lines of a wrapped paragraph that had no room for the next word, if somebody has edited it.
_MIN_FULL = 2 / 3


def unwrap(text: str) -> str:
    """Return a text with one space for each wrap and the indentation of the line behind it, none within a word."""
    pieces: list[str] = []
    end = 0
    for wrap in _find_wraps(text):
        line = text[end:wrap].rstrip(" \t")
        is_divided = _DIVIDED.search(line) and _DIVIDING.match(text, wrap + 1)
        pieces += [line.lstrip(" \t") if pieces else line, "" if is_divided else " "]
        end = wrap + 1
    rest = text[end:]
    return "".join((*pieces, rest.lstrip(" \t") if pieces else rest))


def mask_wraps(text: str) -> str:
    """Return a text with a space for each wrap, so that its sentences are whole and every offset stays as it is."""
    pieces: list[str] = []
    end = 0
    for wrap in _find_wraps(text):
        pieces += [text[end:wrap], " "]
        end = wrap + 1
    return "".join((*pieces, text[end:]))


# A step's prompt and the text that its answer is verified against are made of the same parts.
@lru_cache(maxsize=16)
def _find_wraps(text: str) -> tuple[int, ...]:
    """Return the offsets of the line ends within the sentences of a text.

    A paragraph that begins in upper case is wrapped if some of its lines begin in lower case and most had no room for
    the next word, by the longest of them. So is any paragraph of which no line had room for it, by the longest line of
    those. Columns, fields, items and lines with labels are no running text.
    """
    paragraphs = [
        list(_LINE.finditer(text, start, end)) for (start, end), is_heading in find_paragraphs(text) if not is_heading
    ]
    found = [(lines, [line[0].rstrip() for line in lines]) for lines in paragraphs if len(lines) > 1]
    prose = [(lines, texts, _goes_on_in_lower_case(texts)) for lines, texts in found if _is_running_text(texts)]
    width = max((max(map(len, texts[:-1])) for _, texts, goes_on in prose if goes_on), default=0)
    return tuple(
        line.end()
        for lines, texts, goes_on in prose
        if goes_on or _measure_full(texts, width) == 1
        for line, end in zip(lines[:-1], texts, strict=False)
        if len(end) in WRAPPED_LINE and not _KEPT.search(line[0])
    )


def _is_running_text(lines: Sequence[str]) -> bool:
    return not any(map(_COLUMNS.search, lines)) and not any(map(_BEGINNING.match, lines[1:]))


def _goes_on_in_lower_case(lines: Sequence[str]) -> bool:
    """Tell whether a paragraph begins in upper case, goes on in lower case somewhere, and has mostly full lines."""
    first = _FIRST_LETTER.search(lines[0])
    goes_on = any(line.lstrip()[:1].islower() for last, line in pairwise(lines) if not ENDS.search(last))
    width = max(map(len, lines[:-1]))
    return first is not None and first[0].isupper() and goes_on and _measure_full(lines, width) >= _MIN_FULL


def _measure_full(lines: Sequence[str], width: int) -> float:
    """Return the share of lines, but the last, that had no room for the first word of the next one within a width."""
    full = [len(last) <= width < len(last) + 1 + len(line.split(maxsplit=1)[0]) for last, line in pairwise(lines)]
    return sum(full) / len(full)
