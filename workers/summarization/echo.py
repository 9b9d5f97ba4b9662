"""Echoes: an answer that is the prompt or its text again instead of a summary of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

# A line of ours that is shorter may be chance.
MIN_INSTRUCTION_CHARACTERS = 40

# A summary may quote; it is an echo if it repeats this share of its source in one piece, or so many characters.
ECHO_SHARE = 0.6
ECHO_CHARACTERS = 1500

# Sources shorter than this are often best summarized by themselves.
MIN_SOURCE_CHARACTERS = 120


def repeats_instructions(text: str, instructions: Sequence[str]) -> bool:
    """Tell whether an answer has a whole line of the instructions."""
    flat = _flatten(text)
    return any(len(line) >= MIN_INSTRUCTION_CHARACTERS and _flatten(line) in flat for line in instructions)


def repeats_source(text: str, source: str) -> bool:
    """Tell whether an answer repeats so much of its source in one piece that it is no summary."""
    flat, whole = _flatten(text), _flatten(source)
    if len(whole) < MIN_SOURCE_CHARACTERS:
        return False
    needed = int(min(ECHO_SHARE * len(whole), ECHO_CHARACTERS))
    # A run of the needed length holds a block of half that length, wherever it begins.
    half = max(1, needed // 2)
    starts = range(0, len(flat) - half + 1, half)
    return any(_measure_run(flat, whole, start, half) >= needed for start in starts)


def _measure_run(text: str, source: str, start: int, length: int) -> int:
    """Return the length of the run around a block that both texts share, 0 if they do not share the block."""
    place = source.find(text[start : start + length])
    if place < 0:
        return 0
    before = _count_equal(reversed(text[:start]), reversed(source[:place]))
    return before + length + _count_equal(text[start + length :], source[place + length :])


def _count_equal(some: Iterable[str], others: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _flatten(text: str) -> str:
    return " ".join(text.casefold().split())
