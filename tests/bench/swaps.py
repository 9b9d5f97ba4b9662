"""Planted hallucinations: a true summary with one name, number or date replaced by a false one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.evaluation.facts import Candidate, CandidateKind, find_candidates
from workers.evaluation.lexical import split_sentences

# Which facts are swapped, in turns, so that no kind rules the test.
TURNS = (CandidateKind.NAME, CandidateKind.NUMBER, CandidateKind.DATE)

# Numerals that are often none.
UNSURE = {"one"}

# Words with the same first letters may be forms of one word, such as Egypt and Egyptian.
STEM_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Document:
    """A source with a true summary of it, one sentence a line."""

    source: str
    summary: str


@dataclass(frozen=True, slots=True)
class Swap:
    """A document and its summary with one false fact.

    Args:
        document: the true pair.
        summary: the false summary.
        fact: what was replaced, where it is in the true summary.
        replacement: what stands there now.
        is_from_source: whether the false fact is taken from the same source, which is harder to see.
    """

    document: Document
    summary: str
    fact: Candidate
    replacement: str
    is_from_source: bool

    def points_at_swap(self, start: int, end: int) -> bool:
        """Tell whether a span of the false summary overlaps the planted fact."""
        return start < self.fact.start + len(self.replacement) and end > self.fact.start


def plant_swaps(documents: Sequence[Document], *, most: int, seed: int) -> Iterator[Swap]:
    """Yield a swap for each document that has a fact to swap, up to a number of them."""
    generator, planted = random.Random(seed), 0
    for place, document in enumerate(documents):
        if planted == most:
            return
        stranger = documents[(place + 1) % len(documents)].source
        kinds = TURNS[planted % len(TURNS) :] + TURNS[: planted % len(TURNS)]
        swap = _plant_swap(document, stranger, kinds=kinds, is_from_source=planted % 2 == 0, generator=generator)
        if swap is not None:
            planted += 1
            yield swap


def _plant_swap(
    document: Document, stranger: str, *, kinds: Sequence[CandidateKind], is_from_source: bool, generator: random.Random
) -> Swap | None:
    pool = find_facts(document.source if is_from_source else stranger)
    for kind in kinds:
        facts = [fact for fact in find_facts(document.summary) if fact.kind is kind and fact.text in document.source]
        others = sorted({fact.text for fact in pool if fact.kind is kind} - {fact.text for fact in facts})
        fresh = [other for other in others if not _resembles_word(other, document.summary)]
        if facts and fresh:
            fact, replacement = generator.choice(facts), generator.choice(fresh)
            false = document.summary[: fact.start] + replacement + document.summary[fact.end :]
            return Swap(document, false, fact, replacement, is_from_source)
    return None


def find_facts(text: str) -> list[Candidate]:
    """Return the names, numbers and dates of a text that are surely such: none that opens a sentence."""
    return [
        Candidate(each.text, each.kind, sentence.start + each.start, sentence.start + each.end)
        for sentence in split_sentences(text)
        for each in find_candidates(sentence.text)
        if each.kind is not CandidateKind.PHRASE and each.start > 0 and each.text.lower() not in UNSURE
    ]


def _resembles_word(fact: str, text: str) -> bool:
    """Tell whether a word of a fact, or a form of it, is in a text."""
    stems = {word[:STEM_LETTERS].lower() for word in text.split()}
    return any(word[:STEM_LETTERS].lower() in stems for word in fact.split())
