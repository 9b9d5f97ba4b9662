"""Check of a sentence: facts that its source lacks, states apart or in reversed roles, and words it modifies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from workers.evaluation.alterations import Alteration, find_alterations
from workers.evaluation.bounds import find_rebounded
from workers.evaluation.facts import Fact, find_facts
from workers.evaluation.names import Name
from workers.evaluation.quantities import Quantity
from workers.evaluation.roles import find_swapped
from workers.evaluation.source_facts import Places, SourceFacts
from workers.evaluation.terms import TextTerm, read_terms
from workers.evaluation.winners import find_lost

# Source sentences that are cited for one sentence.
MAX_SUPPORT = 3

# A further sentence is cited if it adds at least this share of all facts and words.
MIN_SHARE = 0.15

# A fact borne out weighs as much as this many words of average rarity.
FACT_WEIGHT = 3.0

# Words and signs that join two statements, each of which may stand at a place of its own in the source.
_JOINT = re.compile(
    r"[;:\u2013\u2014]|,|\b(?:and|while|but|whereas|although|though|after|before|as|who|which|when|where|with|following)\b"
)


@dataclass(frozen=True, slots=True)
class FactCheck:
    """Facts of a sentence that its source does not bear out, and the source's sentences that do.

    Args:
        facts: all facts of the sentence.
        missing: facts that the source lacks.
        apart: facts of the source that no sentence with its neighbours states together with the others.
        swapped: names that the source has in the reverse roles.
        altered: words and numbers that the source says with a modifier that the sentence drops, or the reverse.
        support: indices of the source's sentences that bear the sentence out best, the most relevant first.
    """

    facts: tuple[Fact, ...]
    missing: tuple[Fact, ...]
    apart: tuple[Fact, ...]
    swapped: tuple[Fact, ...]
    altered: tuple[Alteration, ...]
    support: tuple[int, ...]

    @property
    def unsupported(self) -> int:
        """Number of facts that are missing, apart or swapped."""
        return len({*self.missing, *self.apart, *self.swapped})


def check_facts(sentence: str, source: SourceFacts, *, support: Sequence[int] = ()) -> FactCheck:
    """Check the facts of a sentence against its source.

    Args:
        sentence: the sentence.
        source: facts of its source.
        support: indices of the source's sentences that have it word for word; () to find those that bear it out best.
    """
    terms = read_terms(sentence)
    facts = find_facts(sentence, capitals=source.capitals, terms=terms)
    sought = {fact: source.find(fact) for fact in facts}
    found = {fact: where for fact, where in sought.items() if where}
    places = tuple(support) or _find_support(terms, found, source)
    return FactCheck(
        facts=facts,
        missing=tuple(fact for fact, where in sought.items() if not where and not _may_be_counted(fact, source)),
        apart=_find_apart(sentence, found, source),
        swapped=find_swapped(sentence, source),
        altered=(
            *find_alterations(
                sentence, terms, [(source.sentences[place].text, source.terms[place]) for place in places]
            ),
            *find_rebounded(sentence, facts, source),
            *find_lost(sentence, facts, source),
        ),
        support=places,
    )


def _may_be_counted(fact: Fact, source: SourceFacts) -> bool:
    """Tell whether a reader may have counted: "the two states" where the source names both."""
    reading = fact.reading
    if not isinstance(reading, Quantity) or not reading.is_word or reading.value != 2:
        return False
    return not any(reading.counted == other.counted for other, _ in source.quantities)


def _find_apart(sentence: str, found: Mapping[Fact, Places], source: SourceFacts) -> tuple[Fact, ...]:
    """Return the facts outside of the neighbourhood, or the two if the sentence joins two statements, that hold most.

    A name is apart by itself if no neighbourhood has all its words.
    """
    windows = {fact: _widen(where) for fact, where in found.items()}
    left = list(windows)
    for _ in range(2 if _JOINT.search(sentence) else 1):
        left = [fact for fact in left if fact not in _pick_window(left, windows)]
    return tuple(fact for fact in found if fact in left or _is_spliced(fact, source))


def _is_spliced(fact: Fact, source: SourceFacts) -> bool:
    if not isinstance(fact.reading, Name):
        return False
    words = [_widen(places) for places in source.find_words(fact.reading.terms)]
    return len(words) > 1 and all(words) and not frozenset.intersection(*words)


def _widen(places: Places) -> Places:
    return Places(place + step for place in places for step in (-1, 0, 1))


def _pick_window(facts: Sequence[Fact], windows: Mapping[Fact, Places]) -> set[Fact]:
    """Return the facts in the neighbourhood of the source's sentence that has most of them."""
    held: dict[int, set[Fact]] = {}
    for fact in facts:
        for place in windows[fact]:
            held.setdefault(place, set()).add(fact)
    return max(held.values(), key=len, default=set())


def _find_support(terms: Sequence[TextTerm], found: Mapping[Fact, Places], source: SourceFacts) -> tuple[int, ...]:
    """Return sentences, each of which adds facts or words that those before it lack."""
    total = len(source.sentences)
    wanted: dict[object, tuple[float, Places]] = {}
    for term in terms:
        where = source.places.get(term.key, Places()) if term.is_content else Places()
        if where:
            wanted[term.key] = (log(1 + total / len(where)), where)
    average = sum(weight for weight, _ in wanted.values()) / len(wanted) if wanted else 1.0
    wanted.update({fact: (FACT_WEIGHT * average, where) for fact, where in found.items()})
    return _cover(wanted)


def _cover(wanted: dict[object, tuple[float, Places]]) -> tuple[int, ...]:
    chosen: list[int] = []
    everything = sum(weight for weight, _ in wanted.values())
    while wanted and len(chosen) < MAX_SUPPORT:
        gains: dict[int, float] = {}
        for weight, where in wanted.values():
            for place in where:
                gains[place] = gains.get(place, 0.0) + weight
        best = min(gains, key=lambda place: (-gains[place], place))
        if chosen and gains[best] < MIN_SHARE * everything:
            break
        chosen.append(best)
        wanted = {key: (weight, where) for key, (weight, where) in wanted.items() if best not in where}
    return tuple(chosen)
