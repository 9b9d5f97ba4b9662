"""Names that come near to an unknown one, for the message about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

# Names that one message shows.
SHOWN = 3
# Least likeness, from 0 to 1, of a name that is suggested: a slip of the keys, another ending.
LIKENESS = 0.6


def find_nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are like a name, the most alike first, whatever their case."""
    folded = {known.casefold(): known for known in names}
    return [folded[near] for near in difflib.get_close_matches(name.casefold(), folded, n=SHOWN, cutoff=LIKENESS)]


def describe_nearest(names: Sequence[str]) -> str:
    """Return the nearest names to an unknown one, of which there is at least one, as a clause of its message."""
    return f"the nearest {'are' if len(names) > 1 else 'is'} {', '.join(names)}"
