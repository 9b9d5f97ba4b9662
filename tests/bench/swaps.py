"""Planted hallucinations: a true summary with one name, number or date replaced, or with two names exchanged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.lexical import split_sentences
from workers.evaluation.roles import find_deeds
from workers.evaluation.source_facts import SourceFacts, read_source

# Which facts are swapped, in turns, so that no kind rules the test.
TURNS = (CandidateKind.NAME, CandidateKind.NUMBER, CandidateKind.DATE)

# Numerals that are often none.
UNSURE = {"one"}

# Words with the same first letters may be forms of one word, such as Egypt and Egyptian.
STEM_LETTERS = 4


class SwapKind(StrEnum):
    """Origin of the false fact."""

    STRANGER = "another source"
    SOURCE = "the same source"
    ROLES = "two names exchanged"


@dataclass(frozen=True, slots=True)
class Document:
    """A source with a true summary of it, one sentence a line."""

    source: str
    summary: str


@dataclass(frozen=True, slots=True)
class Swap:
    """A document and its summary with a false fact.

    Args:
        document: the true pair.
        summary: the false summary.
        fact: what was replaced.
        replacement: what stands there now.
        kind: where the replacement is from.
        spans: the planted facts in the false summary.
    """

    document: Document
    summary: str
    fact: str
    replacement: str
    kind: SwapKind
    spans: tuple[tuple[int, int], ...]

    def points_at_swap(self, start: int, end: int) -> bool:
        """Tell whether a span of the false summary overlaps a planted fact."""
        return any(start < last and end > first for first, last in self.spans)


def plant_swaps(documents: Sequence[Document], *, most: int, seed: int) -> Iterator[Swap]:
    """Yield a swap for each document that has a fact to swap, up to a number of them."""
    generator, planted = random.Random(seed), 0
    for place, document in enumerate(documents):
        if planted == most:
            return
        stranger = documents[(place + 1) % len(documents)].source
        kinds = TURNS[planted % len(TURNS) :] + TURNS[: planted % len(TURNS)]
        kind = SwapKind.SOURCE if planted % 2 == 0 else SwapKind.STRANGER
        swap = _plant_swap(document, stranger, kinds=kinds, kind=kind, generator=generator)
        if swap is not None:
            planted += 1
            yield swap


def plant_role_swaps(documents: Sequence[Document], *, most: int) -> Iterator[Swap]:
    """Yield documents whose summary has the two names around a verb exchanged, up to a number of them."""
    planted = 0
    for document in documents:
        swap = _exchange_names(document, read_source(document.source)) if planted < most else None
        if swap is not None:
            planted += 1
            yield swap


def _exchange_names(document: Document, source: SourceFacts) -> Swap | None:
    """Exchange the first two names around a verb of which the source has every word."""
    for sentence in split_sentences(document.summary):
        for deed in find_deeds(sentence.text, capitals=source.capitals):
            one, other = deed.facts
            if source.find(one) and source.find(other) and not deed.agent & deed.patient:
                between = sentence.text[one.end : other.start]
                first, last = sentence.start + one.start, sentence.start + other.end
                false = other.text + between + one.text
                spans = ((first, first + len(other.text)), (last - len(one.text), last))
                summary = document.summary[:first] + false + document.summary[last:]
                return Swap(document, summary, one.text, other.text, SwapKind.ROLES, spans)
    return None


def _plant_swap(
    document: Document, stranger: str, *, kinds: Sequence[CandidateKind], kind: SwapKind, generator: random.Random
) -> Swap | None:
    pool = list_sure_facts(document.source if kind is SwapKind.SOURCE else stranger)
    # A fact of another source may be in this one too, and then it may even be true.
    shown = document.summary if kind is SwapKind.SOURCE else f"{document.summary} {document.source}"
    known = [fact for fact in list_sure_facts(document.summary) if fact.text in document.source]
    for wanted in kinds:
        facts = [fact for fact in known if fact.kind is wanted]
        others = sorted({fact.text for fact in pool if fact.kind is wanted} - {fact.text for fact in facts})
        fresh = [other for other in others if not _resembles_word(other, shown)]
        if facts and fresh:
            fact, replacement = generator.choice(facts), generator.choice(fresh)
            false = document.summary[: fact.start] + replacement + document.summary[fact.end :]
            return Swap(document, false, fact.text, replacement, kind, ((fact.start, fact.start + len(replacement)),))
    return None


def list_sure_facts(text: str) -> list[Candidate]:
    """Return the names, numbers and dates of a text that are surely such: none that opens a sentence."""
    return [
        Candidate(fact.text, fact.kind, sentence.start + fact.start, sentence.start + fact.end)
        for sentence in split_sentences(text)
        for fact in find_candidates(sentence.text)
        if fact.kind is not CandidateKind.PHRASE and fact.start > 0 and fact.text.lower() not in UNSURE
    ]


def _resembles_word(fact: str, text: str) -> bool:
    """Tell whether a word of a fact, or a form of it, is in a text."""
    stems = {word[:STEM_LETTERS].lower() for word in text.split()}
    return any(word[:STEM_LETTERS].lower() in stems for word in fact.split())
