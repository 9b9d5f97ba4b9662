"""Echo detection: answers that copy the prompt or its source instead of summarizing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

# A shorter line of the instructions may occur in a summary by chance.
MIN_INSTRUCTION_CHARACTERS = 40

# A summary may quote; copying this share of the source, or this many characters, in one run makes it an echo.
ECHO_SHARE = 0.6
ECHO_CHARACTERS = 1500

# A shorter source is often its own best summary.
MIN_SOURCE_CHARACTERS = 120


def repeats_instructions(text: str, instructions: Sequence[str]) -> bool:
    """Tell whether an answer contains a whole line of the instructions."""
    flat = _flatten(text)
    return any(len(line) >= MIN_INSTRUCTION_CHARACTERS and _flatten(line) in flat for line in instructions)


def repeats_source(text: str, source: str) -> bool:
    """Tell whether an answer copies too long a run of its source to be a summary."""
    flat, whole = _flatten(text), _flatten(source)
    if len(whole) < MIN_SOURCE_CHARACTERS:
        return False
    needed = int(min(ECHO_SHARE * len(whole), ECHO_CHARACTERS))
    # A shared run of the needed length contains at least one whole block of half that length.
    half = max(1, needed // 2)
    starts = range(0, len(flat) - half + 1, half)
    return any(_measure_run(flat, whole, start, half) >= needed for start in starts)


def _measure_run(text: str, source: str, start: int, length: int) -> int:
    """Return the length of the shared run around a block of the text; 0 if the source lacks the block."""
    place = source.find(text[start : start + length])
    if place < 0:
        return 0
    before = _count_equal(reversed(text[:start]), reversed(source[:place]))
    return before + length + _count_equal(text[start + length :], source[place + length :])


def _count_equal(some: Iterable[str], others: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _flatten(text: str) -> str:
    return " ".join(text.casefold().split())
