"""Winners: a score told with the other side as its winner, such as "United win 2-1" for "City beat United 2-1"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from workers.evaluation.alterations import Alteration
from workers.evaluation.facts import Fact
from workers.evaluation.lexical import read_content
from workers.evaluation.quantities import NumberPair
from workers.evaluation.source_facts import SourceFacts

_NAME = r"(?P<name>[A-Z][\w'\u2019-]*(?: [A-Z][\w'\u2019-]*)*)"
_WINS = r"(?:wins?|won|beats?|defeats?|defeated|edged?|thrash\w*)"
_LOSSES = r"(?:lost|lose|loses|losing|loss|defeat|defeated|beaten|thrashed)"
# Words by which a sentence names the winner of a game, without those of a passive.
_WINNERS = [
    re.compile(words)
    for words in [
        rf"{_NAME} (?:(?:have|has|had|also|then|narrowly|easily) )*{_WINS}\b",
        rf"{_NAME}['\u2019]s? (?:\S+ )?(?:win|victory|triumph)\b",
        rf"\b(?:win|victory|triumph) (?:for|by) (?:the )?{_NAME}",
        rf"\b{_LOSSES} (?:\S+ )?(?:to|by|against) (?:the )?{_NAME}",
    ]
]


def find_lost(sentence: str, facts: Sequence[Fact], source: SourceFacts) -> Iterator[Alteration]:
    """Yield the winner that a sentence names for a score, if its source has that name there, but others as winners."""
    scores = [source.find(fact) for fact in facts if isinstance(fact.reading, NumberPair)]
    places = sorted(frozenset().union(*scores))
    theirs = [match for place in places for match in _find_winners(source.sentences[place].text)]
    named = {key for match in theirs for key in read_content(match["name"])}
    there = {key for place in places for key in read_content(source.sentences[place].text)}
    for match in _find_winners(sentence) if theirs else ():
        mine = read_content(match["name"])
        if named.isdisjoint(mine) and not there.isdisjoint(mine):
            yield Alteration(match["name"], *match.span("name"), f'the source says "{theirs[0][0]}"')


def _find_winners(text: str) -> Iterator[re.Match[str]]:
    for words in _WINNERS:
        yield from words.finditer(text)
