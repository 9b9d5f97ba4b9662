"""Facts of a sentence as a reader would see them: names, identifiers, numbers and dates.

List numbers and words that count the items of the text itself are no facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from workers.evaluation.dates import Date, find_dates
from workers.evaluation.names import Name, find_identifiers, find_names
from workers.evaluation.quantities import NumberPair, Quantity
from workers.evaluation.quantity_reading import find_pairs, find_quantities
from workers.evaluation.terms import TextTerm, read_terms


class FactKind(StrEnum):
    """Kind of a fact."""

    DATE = "date"
    NUMBER = "number"
    NAME = "name"
    IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True)
class Fact:
    """Fact of a text.

    Args:
        text: the fact as written.
        kind: its kind.
        start: offset of the first character.
        end: offset after the last character.
        reading: its parts, for the comparison.
    """

    text: str
    kind: FactKind
    start: int
    end: int
    reading: Date | Quantity | NumberPair | Name | None


# Number of a list item, of a heading or of a footnote.
_LIST_NUMBER = re.compile(r"(?:^|\n)[ \t>*_#-]*\(?\d{1,3}(?:\.\d{1,2})*[.):](?=\s|$)|\[\d{1,3}\]")

# Nouns by which a summary counts its own items or speaks of the text.
_OWN_ITEMS = re.compile(
    r"\s*(?:(?:main|key|major|primary|important|different|other|distinct|specific|separate|significant|common|possible|"
    r"similar|critical|core|notable|more|such|additional|potential)\s+)*"
    r"(?:topics?|reasons?|points?|things?|ways?|aspects?|factors?|themes?|sections?|parts?|steps?|issues?|items?|areas?|"
    r"ideas?|approaches|methods?|categories|types?|kinds?|takeaways?|questions?|events?|instances|examples?|"
    r"individuals|occasions|sides|times|elements|paragraphs|sentences|stories|incidents|cases)\b",
    re.IGNORECASE,
)

# A summary that states its own length.
_OWN_LENGTH = re.compile(r"\bsummary\b.*\b(?:in|within|of|under)\s+$", re.IGNORECASE)
_LENGTH_UNIT = re.compile(r"\s*(?:words|sentences|characters)\b", re.IGNORECASE)

# Larger numbers in words are counts of something.
MAX_COUNTING_WORD = 10


def find_facts(
    text: str, *, capitals: frozenset[str] = frozenset(), terms: tuple[TextTerm, ...] | None = None
) -> tuple[Fact, ...]:
    """Return the facts of a sentence, in order and without overlaps.

    Args:
        text: the sentence.
        capitals: words that have a capital inside the sentences of its source, in lower case.
        terms: words of the sentence, if they are read already.
    """
    found: list[Fact] = []
    taken = [match.span() for match in _LIST_NUMBER.finditer(text)]
    for fact in _list_facts(text, read_terms(text) if terms is None else terms, capitals):
        if all(fact.end <= start or end <= fact.start for start, end in taken):
            taken.append((fact.start, fact.end))
            found.append(fact)
    return tuple(sorted(found, key=lambda fact: fact.start))


def _list_facts(text: str, terms: tuple[TextTerm, ...], capitals: frozenset[str]) -> Iterator[Fact]:
    """Yield the facts, those first that take their text from others."""
    for date in find_dates(text):
        yield Fact(text[date.start : date.end], FactKind.DATE, date.start, date.end, date)
    for start, end in find_identifiers(text):
        yield Fact(text[start:end], FactKind.IDENTIFIER, start, end, None)
    for pair in find_pairs(text):
        yield Fact(text[pair.start : pair.end], FactKind.NUMBER, pair.start, pair.end, pair)
    for quantity in find_quantities(text):
        if _is_counted(text, quantity):
            yield Fact(text[quantity.start : quantity.end], FactKind.NUMBER, quantity.start, quantity.end, quantity)
    for name in find_names(text, terms, capitals=capitals):
        yield Fact(text[name.start : name.end], FactKind.NAME, name.start, name.end, name)


def _is_counted(text: str, quantity: Quantity) -> bool:
    """Tell whether a number states a fact, not an item of the text or the pronoun one."""
    if quantity.value in (0.5, 1) and quantity.is_word:
        return False
    if _LENGTH_UNIT.match(text, quantity.end) and _OWN_LENGTH.search(text, 0, quantity.start):
        return False
    is_small = quantity.value <= MAX_COUNTING_WORD and quantity.is_word
    return not (is_small and (quantity.is_ordinal or _OWN_ITEMS.match(text, quantity.end)))
