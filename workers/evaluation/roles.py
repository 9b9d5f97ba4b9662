"""Roles of names: two names around a verb in the reverse order of the source, such as A beat B for B beat A."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from workers.evaluation.facts import Fact, FactKind, find_facts
from workers.evaluation.lexical import STOP_WORDS, find_key, read_content, read_words
from workers.evaluation.source_facts import SourceFacts
from workers.evaluation.terms import TextTerm

# Most words between a name and the other: with more of them the verb belongs to something else.
MAX_WORDS_BETWEEN = 6

_PASSIVE = re.compile(r"\b(?:was|were|been|being|is|are|be|got|gets)\b.*\bby\b", re.IGNORECASE)
_BREAK = re.compile(
    r"[,;:()\"\u201c\u201d\u2013\u2014]|--|['\u2019]s\b|\b(?:and|or|but|who|which|that|while)\b", re.IGNORECASE
)

# Past forms of irregular verbs, each line with its base first.
_IRREGULAR = """
beat beats beaten|lose lost loses|win won wins|tell told tells|give gave given gives|take took taken takes|buy bought
sell sold sells|send sent sends|leave left leaves|lead led leads|catch caught|teach taught|fight fought fights
shoot shot shoots|strike struck strikes|bite bit bitten|throw threw thrown|hit hits|hurt hurts|choose chose chosen
steal stole stolen|see saw seen sees|overcome overcame|make made|hold held holds|find found|pay paid pays|sue sued sues
drive drove driven|write wrote written|show showed shown|forgive forgave forgiven|succeed succeeded|seek sought
""".strip()
_BASES = {form: line.split()[0] for row in _IRREGULAR.split("\n") for line in row.split("|") for form in line.split()}

# Verbs whose subject and object may change places.
_SYMMETRIC = frozenset(
    find_key(word)
    for word in [
        "meet",
        "met",
        "marry",
        "married",
        "play",
        "face",
        "date",
        "divorce",
        "join",
        "fight",
        "fought",
        "contact",
        "embrace",
        "kiss",
        "work",
        "talk",
        "cooperate",
        "agree",
    ]
)
_ENDINGS = ("ed", "es", "ing", "s")


class Order(StrEnum):
    """Order of two names around a verb of the source, compared with a sentence."""

    FORWARD = "forward"
    REVERSE = "reverse"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Deed:
    """Verb with the names of its agent and its patient."""

    verb: str
    agent: frozenset[str]
    patient: frozenset[str]
    facts: tuple[Fact, Fact]


def find_swapped(sentence: str, source: SourceFacts) -> tuple[Fact, ...]:
    """Return the names of a sentence that the source has in the reverse roles of the same verb, and never in these."""
    swapped: list[Fact] = []
    for deed in find_deeds(sentence, capitals=source.capitals):
        told = set(_list_orders(deed, source))
        if told == {Order.REVERSE}:
            swapped += deed.facts
    return tuple(dict.fromkeys(swapped))


def _list_orders(deed: Deed, source: SourceFacts) -> Iterator[Order]:
    """Yield the order of both names around the verb for the source's sentences that have the three."""
    agents, patients = (
        frozenset().union(*(source.places.get(key, ()) for key in keys)) for keys in (deed.agent, deed.patient)
    )
    for place in sorted(agents & patients):
        yield from _read_orders(deed, source.sentences[place].text, source.terms[place])


def _read_orders(deed: Deed, text: str, terms: Sequence[TextTerm]) -> Iterator[Order]:
    """Yield the order around each occurrence of the verb; it is open without one name on either side."""
    for place, term in enumerate(terms):
        if find_base(term.text) != deed.verb:
            continue
        before = _find_nearest(deed, reversed(terms[max(0, place - MAX_WORDS_BETWEEN) : place]))
        behind = _find_nearest(deed, terms[place + 1 : place + 1 + MAX_WORDS_BETWEEN])
        if before is None or behind is None or _BREAK.search(text, before[1].end, behind[1].start):
            yield Order.OPEN
        elif before[0] is not behind[0]:
            is_passive = _PASSIVE.search(text, before[1].end, behind[1].start) is not None
            yield Order.FORWARD if (before[0] is deed.agent) is not is_passive else Order.REVERSE


def _find_nearest(deed: Deed, terms: Iterable[TextTerm]) -> tuple[frozenset[str], TextTerm] | None:
    """Return the first name among some words, by its words in the sentence, with its place."""
    for term in terms:
        for keys in (deed.agent, deed.patient):
            if term.key in keys:
                return keys, term
    return None


def find_deeds(text: str, *, capitals: frozenset[str]) -> Iterator[Deed]:
    """Yield the verbs of a sentence that stand between two of its names."""
    names = [fact for fact in find_facts(text, capitals=capitals) if fact.kind is FactKind.NAME]
    for one, other in pairwise(names):
        between = text[one.end : other.start]
        verb = None if _BREAK.search(between) else _find_verb(between)
        if verb is not None:
            agent, patient = (other, one) if _PASSIVE.search(between) else (one, other)
            yield Deed(verb, _list_keys(agent), _list_keys(patient), (one, other))


def _find_verb(between: str) -> str | None:
    """Return the stem of the first verb between two names; None without one or if its roles may change places."""
    words = read_words(between)
    if len(words) > MAX_WORDS_BETWEEN:
        return None
    for word in words:
        base = find_base(word.text) if word.text[0].islower() else None
        if base is not None:
            return None if base in _SYMMETRIC else base
        if word.is_content and not word.text.endswith("ly"):
            return None
    return None


def find_base(word: str) -> str | None:
    """Return the stem of a verb; None for a word that has no ending of a verb."""
    lowered = word.lower()
    base = _BASES.get(lowered)
    if base is None and (lowered in STOP_WORDS or not lowered.endswith(_ENDINGS)):
        return None
    return find_key(base or lowered)


def _list_keys(fact: Fact) -> frozenset[str]:
    return read_content(fact.text)
