"""Content-defined grouping: neighbours are grouped so that a changed or inserted member moves no group far away.

The end of a group depends on a hash of its last member, as in content-defined chunking (Muthitacharoen et al., LBFS,
SOSP 2001); after a change the old ends recur at the next such member. So nearly all groups, and the steps that read
them, stay as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

# A group ends on average after half of its room: then few groups end for lack of room, whose ends a change moves.
MEAN_PARTS = 2


def hash_mark(content: str) -> float:
    """Return a number from 0 to 1 that depends on a text alone."""
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8]) / 2**64


def group_by_content(sizes: Sequence[int], marks: Sequence[float], *, room: int, least: int = 1) -> list[range]:
    """Partition neighbours into groups within a room that end where the content says so.

    Args:
        sizes: size of each member.
        marks: hash of each member, from 0 to 1: the lower, the likelier a group ends behind it.
        room: maximum size of a group.
        least: minimum number of members, even beyond the room; the last group may have fewer.
    """
    groups: list[range] = []
    start = taken = 0
    for index, (size, mark) in enumerate(zip(sizes, marks, strict=True)):
        if index - start >= least and taken + size > room:
            groups.append(range(start, index))
            start, taken = index, 0
        taken += size
        if index + 1 - start >= least and mark * room < MEAN_PARTS * size:
            groups.append(range(start, index + 1))
            start, taken = index + 1, 0
    return [*groups, range(start, len(sizes))] if start < len(sizes) else groups
