"""Alterations: a sentence that drops a modifier of its source ("almost died"), or negates what its source asserts.

A word counts as altered if it is governed by a modifier wherever the source's sentences have it among words of this
sentence, and the sentence has no modifier of that kind at all. An added hedge is harmless. Antonyms are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.evaluation.modifiers import (
    Governed,
    ModifierKind,
    find_governed,
    find_verb_key,
    has_modifier,
    is_assertive,
    is_question,
    is_verbal,
    list_neighbours,
)
from workers.evaluation.terms import TextTerm

# Share of the words beside a word of the source that a sentence must have to say the same of it.
MIN_SHARED = 0.5
# Words beside a word of a sentence, one of which its source must have beside that word.
NEAREST = 2

# Prepositions before a gerund that asserts nothing, as in "disqualified from leading".
_GERUND_MARKS = frozenset(["from", "of", "for", "in", "about", "on", "against", "at"])

_INFINITIVE = re.compile(r"\bto (?:be |\w+ly )*$")
# Before a denial that only sets something apart from what is said, as in "in the street, not in the club".
_CONTRAST = re.compile(r"(?:,|\band|\bbut) $")

# Denials with a sense of their own, which may sum up what the source says in other words.
_SUMMING = re.compile(r"refus|declin", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Alteration:
    """Word that a sentence asserts otherwise than its source.

    Args:
        text: the word as the sentence has it.
        start: offset of its first character in the sentence.
        end: offset after its last character.
        reason: how the source says it.
    """

    text: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Word of a text with the modifiers that govern it, by kind."""

    text: str
    terms: Sequence[TextTerm]
    term: TextTerm
    modifiers: Mapping[ModifierKind, Governed]

    def resembles(self, other: Occurrence) -> bool:
        """Tell whether another text has most words beside this one, and the words next to its own are among them."""
        start = min((found.start for found in self.modifiers.values()), default=self.term.start)
        beside = {
            word.key
            for word in list_neighbours(self.text, self.terms, self.term)
            if not start <= word.start < self.term.start
        }
        nearest = [word.key for word in list_neighbours(other.text, other.terms, other.term)[:NEAREST]]
        shared = beside & {term.key for term in other.terms}
        return len(shared) >= MIN_SHARED * len(beside) and not beside.isdisjoint(nearest)

    def quote(self, kind: ModifierKind) -> str:
        """Return the word with its modifier of a kind and all between them."""
        return self.text[self.modifiers[kind].start : self.term.end]


def find_alterations(
    sentence: str, terms: Sequence[TextTerm], source: Sequence[tuple[str, Sequence[TextTerm]]]
) -> tuple[Alteration, ...]:
    """Return the words of a sentence that sentences of its source assert otherwise."""
    there: dict[str, list[Occurrence]] = {}
    for text, words in source:
        for occurrence in _list_occurrences(text, words):
            there.setdefault(find_verb_key(occurrence.term), []).append(occurrence)
    mine = [occurrence for occurrence in _list_occurrences(sentence, terms) if _is_asserted(occurrence)]
    found = [*_find_dropped(mine, there), *_find_negated(mine, [text for text, _ in source])]
    return tuple({alteration.start: alteration for alteration in found}.values())


def _list_occurrences(text: str, terms: Sequence[TextTerm]) -> Iterator[Occurrence]:
    governed: dict[int, dict[ModifierKind, Governed]] = {}
    if not is_question(text):
        for found in find_governed(text, terms):
            governed.setdefault(found.term.start, {}).setdefault(found.kind, found)
    yield from (Occurrence(text, terms, term, governed.get(term.start, {})) for term in terms)


def _is_asserted(occurrence: Occurrence) -> bool:
    """Tell whether a word is no gerund behind a preposition and no name."""
    term, terms = occurrence.term, occurrence.terms
    before = next((one.text.lower() for one, other in pairwise(terms) if other is term), "")
    return is_assertive(term) and not (before in _GERUND_MARKS and term.text.endswith("ing"))


def _find_dropped(mine: Sequence[Occurrence], there: Mapping[str, Sequence[Occurrence]]) -> Iterator[Alteration]:
    for kind in ModifierKind:
        for word in mine:
            theirs = there.get(find_verb_key(word.term), ())
            if not theirs or has_modifier(word.text, kind) or _is_aim(word, kind):
                continue
            if not all(kind in other.modifiers for other in theirs):
                continue
            is_governed = not theirs[0].modifiers[kind].is_far or is_verbal(word.term)
            if is_governed and theirs[0].resembles(word):
                yield _alter(word.term, f'the source says "{theirs[0].quote(kind)}"')


def _is_aim(word: Occurrence, kind: ModifierKind) -> bool:
    """Tell whether a verb is an infinitive, which hedges as the future does."""
    return kind is ModifierKind.HEDGE and _INFINITIVE.search(word.text, 0, word.term.start) is not None


def _find_negated(mine: Sequence[Occurrence], source: Sequence[str]) -> Iterator[Alteration]:
    """Yield the words that a sentence denies where its source has nothing with the sense of a denial."""
    kind = ModifierKind.DENIAL
    if any(has_modifier(text, kind) or is_question(text) for text in source):
        return
    for word in mine:
        found = word.modifiers.get(kind)
        if found is None or (found.is_far and not is_verbal(word.term)):
            continue
        if not _CONTRAST.search(word.text, 0, found.start) and not _SUMMING.match(word.text, found.start):
            yield _alter(word.term, f'the source has no negation as in "{word.quote(kind)}"')


def _alter(term: TextTerm, reason: str) -> Alteration:
    return Alteration(term.text, term.start, term.end, reason)
