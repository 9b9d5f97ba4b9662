"""Running heads, feet and page numbers of a PDF: rows at the edge of pages that return on others.

Only rows at the edge are looked at, from outside to inside, and never the last row of a page.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from producer.sources.formats.pdf_lines import Line, group_rows

# Share of a page's height, at the top and at the bottom, in which such rows stand.
ZONE = 0.15
# Rows at an edge, and cells of such a row: left, middle and right.
MAX_ROWS = 3
MAX_CELLS = 3
# Pages on which a row stands at least, and share of the pages between the first and the last of them. The heads of left
# and right pages differ.
MIN_PAGES = 3
MIN_SHARE = 0.4
# Share of the neighbouring pages between which the numbers in a row must grow as those of pages do.
MIN_STEADY = 0.8
NUMBER = re.compile(r"\d{1,9}")
BARE_NUMBER = re.compile(r"\W*(\d{1,4})\W*")
BARE_ROMAN = re.compile(r"\W*[ivxlc]{1,7}\W*", re.I)

Rows = dict[int, list[Line]]


def drop_running_rows(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """Return the lines of pages without their running rows.

    Args:
        pages: lines of each page.
        heights: height of each page, in points.
    """
    kept = [group_rows(lines) for lines in pages]
    for is_top in (True, False):
        for _ in range(MAX_ROWS):
            outer = _list_outer(kept, heights, is_top=is_top)
            running = _find_running(outer)
            for number in running:
                kept[number].remove(outer[number])
            if not running:
                break
    return [[line for row in rows for line in row] for rows in kept]


def _list_outer(pages: Sequence[list[list[Line]]], heights: Sequence[float], *, is_top: bool) -> Rows:
    """Return the outermost row of each page that has others, if it stands at the edge."""
    found = {}
    for number, (rows, height) in enumerate(zip(pages, heights, strict=True)):
        if len(rows) > 1:
            row = rows[0] if is_top else rows[-1]
            place = row[0].y0 / height if height else 0.5
            if len(row) <= MAX_CELLS and (place >= 1 - ZONE if is_top else place <= ZONE):
                found[number] = row
    return found


def _find_running(outer: Rows) -> list[int]:
    """Return the pages whose row is a page number, or returns on others with the same text up to its numbers."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    bare: dict[int, int] = {}
    for number, row in outer.items():
        text = " ".join(line.text for line in row)
        if match := BARE_NUMBER.fullmatch(text):
            bare[number] = int(match[1])
        else:
            groups["roman" if BARE_ROMAN.fullmatch(text) else NUMBER.sub("#", text)][number] = text
    running = [number for texts in groups.values() if _is_running(texts) for number in texts]
    return running + _find_page_numbers(bare)


def _find_page_numbers(bare: Mapping[int, int]) -> list[int]:
    """Return the pages whose number is that of most others plus their distance; a few pages may have one."""
    shifts = Counter(value - number for number, value in bare.items())
    shift, count = next(iter(shifts.most_common(1)), (0, 0))
    return [number for number, value in bare.items() if value - number == shift] if count > 1 else []


def _is_running(texts: Mapping[int, str]) -> bool:
    numbers = sorted(texts)
    if len(numbers) < max(MIN_PAGES, MIN_SHARE * (numbers[-1] - numbers[0] + 1)):
        return False
    steady = sum(_is_steady(texts[first], texts[second], second - first) for first, second in pairwise(numbers))
    return steady >= MIN_STEADY * (len(numbers) - 1)


def _is_steady(first: str, second: str, distance: int) -> bool:
    """Return True if no number grows by more than the number of pages, nor becomes smaller: rows of a table do."""
    before, after = (list(map(int, NUMBER.findall(text))) for text in (first, second))
    return all(0 <= later - earlier <= distance for earlier, later in zip(before, after, strict=False))
