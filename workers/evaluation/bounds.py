"""Bounds of numbers: "up to 12" is not "12", and "nearly 12" is not "over 12"; "at least 12" may be told as "12"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from workers.evaluation.alterations import Alteration
from workers.evaluation.facts import Fact
from workers.evaluation.quantities import Hedge, Quantity
from workers.evaluation.source_facts import SourceFacts


class Bound(StrEnum):
    """Side of the true number on which a number stands: anywhere above it, little above it, or below it."""

    CEILING = "ceiling"
    BRINK = "brink"
    FLOOR = "floor"


# Words that end before a number, with an article or a currency between; the first that fits counts.
_BEHIND = r"(?: an?)? ?(?:[A-Z]{0,3}[$£€])?$"
_BOUNDS = [
    (Bound.FLOOR, r"\b(?:no|not) (?:fewer|less) than"),
    (Bound.CEILING, r"\b(?:up to|at most|(?:no|not) more than|a maximum of)"),
    (Bound.BRINK, r"\b(?:nearly|almost|close to|(?:just|slightly|a little) (?:under|below|less than|fewer than))"),
    (Bound.CEILING, r"\b(?:fewer than|less than|under|below)"),
    (Bound.FLOOR, r"\b(?:at least|more than|over|above|exceeding|upwards of)"),
]
_WORDS = [(bound, re.compile(words + _BEHIND, re.IGNORECASE)) for bound, words in _BOUNDS]

# Bounds of a sentence that agree with that of its source; a sentence without a bound has None.
_AGREEING: dict[Bound, frozenset[Bound | None]] = {
    Bound.CEILING: frozenset([Bound.CEILING, Bound.BRINK]),
    Bound.BRINK: frozenset([Bound.CEILING, Bound.BRINK, None]),
    Bound.FLOOR: frozenset([Bound.FLOOR, None]),
}


def find_rebounded(sentence: str, facts: Sequence[Fact], source: SourceFacts) -> Iterator[Alteration]:
    """Yield the numbers of a sentence that its source has, but only with bounds that disagree with the sentence's."""
    for fact in facts:
        number = fact.reading
        if not isinstance(number, Quantity) or number.hedge is Hedge.AROUND:
            continue
        mine, _ = _read_bound(sentence, number)
        phrases = [
            _find_disagreement(source.sentences[place].text, other, mine)
            for other, place in source.quantities
            if other.value == number.value and number.is_borne_out_by(other)
        ]
        if phrases and all(phrases):
            yield Alteration(fact.text, fact.start, fact.end, f'the source says "{phrases[0]}"')


def _find_disagreement(text: str, number: Quantity, mine: Bound | None) -> str | None:
    """Return a number of the source with its bound if that disagrees with a sentence's bound."""
    theirs, start = _read_bound(text, number)
    return None if theirs is None or mine in _AGREEING[theirs] else text[start : number.end].strip()


def _read_bound(text: str, number: Quantity) -> tuple[Bound | None, int]:
    """Return the bound in front of a number, None without one, and the offset at which it begins."""
    for bound, words in _WORDS:
        if found := words.search(text, 0, number.start):
            return bound, found.start()
    return None, number.start
