"""Paragraphs of a PDF page: lines that go on in the next one are joined, so that a sentence is one line.

A line goes on if the first word of the next one would not have fitted behind it. Lines that end before, as in lists,
addresses and verses, stay lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from producer.sources.formats.pdf_lines import Line, find_bottom, find_top, group_rows

# Gap between two lines of one paragraph, in heights of a line.
PARAGRAPH_GAP = 0.6
# Characters of a line below which it is none of prose.
MIN_PROSE_CHARS = 24
# Share of the lines that may be longer than those of the prose: captions, wide formulas.
LONGER_SHARE = 0.1
# Share of a full line from which a line goes on if the next one begins in lower case.
NEARLY_FULL = 0.75
# Ratio between the heights of two lines from which one is a heading.
MAX_RATIO = 1.3
# Share of its height by which a line that begins a paragraph is indented.
INDENT = 0.8
LIST_MARK = re.compile(r"([•◦▪‣●○■□*–—-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\])\s")  # noqa: RUF001
# Dots that lead to the number of a page.
LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}|·{4,}")
SENTENCE_END = re.compile(r"[.!?…:。！？।؟۔።]['\"”’»)\]]*$")  # noqa: RUF001 - signs of other scripts are meant
DIVIDED = re.compile(r"[^\W_][-\u2010]$|\u00ad$")
# Letters and punctuation of scripts that are written without spaces.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]"
)


def write_block(lines: Iterable[Line]) -> str:
    """Return the text of a block, from top to bottom; a blank line separates paragraphs, bars the cells of a row."""
    rows = group_rows(lines)
    tables = [_is_table(rows, place) for place in range(len(rows))]
    prose = [row for row, is_table in zip(rows, tables, strict=True) if not is_table]
    left, edge = min((row[0].x0 for row in prose), default=0.0), _find_edge(prose)
    text = ""
    for place, row in enumerate(rows):
        if place:
            is_table = tables[place - 1] or tables[place]
            text += _find_gap(rows[place - 1], row, left=left, edge=math.inf if is_table else edge)
        text += (" | " if tables[place] else " ").join(line.text for line in row)
    return text


def find_seam(before: str, after: str) -> str:
    """Return the text between two columns or pages: a blank line, unless a sentence goes on in lower case."""
    last, first = before.rpartition("\n")[2], after.partition("\n")[0]
    is_prose = min(len(last), len(first)) >= MIN_PROSE_CHARS
    if not (is_prose and first[0].islower()) or SENTENCE_END.search(last):
        return "\n\n"
    return _find_glue(last, first)


def _is_table(rows: Sequence[list[Line]], place: int) -> bool:
    """Return True for a row of several cells beside one of as many."""
    neighbours = [*rows[max(0, place - 1) : place], *rows[place + 1 : place + 2]]
    return len(rows[place]) > 1 and any(len(rows[place]) == len(other) for other in neighbours)


def _find_edge(rows: Sequence[list[Line]]) -> float:
    """Return where full lines of prose end."""
    ends = sorted(row[-1].x1 for row in rows)
    return ends[math.ceil((1 - LONGER_SHARE) * (len(ends) - 1))] if ends else math.inf


def _find_gap(first: list[Line], second: list[Line], *, left: float, edge: float) -> str:
    """Return the text between two rows; no line reaches an edge without end."""
    gap = find_bottom(first) - find_top(second)
    if gap > PARAGRAPH_GAP * max(line.height for line in second):
        return "\n\n"
    if edge < math.inf and _is_continued(_join_row(first), _join_row(second), left=left, edge=edge):
        return _find_glue(first[-1].text, second[0].text)
    return "\n"


def _join_row(row: Sequence[Line]) -> Line:
    return Line(" ".join(line.text for line in row), row[0].x0, row[-1].x1, find_bottom(row), find_top(row))


def _is_continued(first: Line, second: Line, *, left: float, edge: float) -> bool:
    if first.width_in_chars < MIN_PROSE_CHARS or LEADERS.search(first.text) or LIST_MARK.match(second.text):
        return False
    if max(first.height, second.height) > MAX_RATIO * min(first.height, second.height):
        return False
    is_end = bool(SENTENCE_END.search(first.text))
    if is_end and second.x0 > first.x0 + INDENT * second.height and not LIST_MARK.match(first.text):
        return False
    if second.text[0].islower() and not is_end:
        return first.x1 - left >= NEARLY_FULL * (edge - left)
    return first.x1 + _measure_first_word(second) > edge


def _measure_first_word(line: Line) -> float:
    """Return the width of a line's first word and a space; of scripts without spaces, that of a letter."""
    word = line.text[0] if _UNSPACED.match(line.text) else f"{line.text.partition(' ')[0]} "
    return (line.x1 - line.x0) * len(word) / len(line.text)


def _find_glue(first: str, second: str) -> str:
    """Return what joins two lines: nothing in scripts without spaces; words are joined later, where all are known."""
    if DIVIDED.search(first):
        return "\n"
    return "" if _UNSPACED.match(first[-1]) and _UNSPACED.match(second[0]) else " "
