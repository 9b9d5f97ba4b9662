"""Offsets at which the pages of a document begin in its text: kept in its metadata, to name a span by its page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

# Name of the value in the metadata.
PAGE_STARTS = "page_starts"


def write_page_starts(pages: Sequence[str], gap: str) -> str:
    """Return the offsets of pages that are joined by a gap, as a value of the metadata."""
    starts, start = [], 0
    for page in pages:
        starts.append(str(start))
        start += len(page) + len(gap)
    return ",".join(starts)


def find_page(page_starts: str | None, offset: int) -> int | None:
    """Return the number of the page, from 1, that holds an offset of the text; None without valid offsets."""
    try:
        starts = [int(start) for start in (page_starts or "").split(",")]
    except ValueError:
        return None
    is_ascending = starts[0] == 0 and all(first < second for first, second in pairwise(starts))
    return bisect_right(starts, offset) if is_ascending else None
