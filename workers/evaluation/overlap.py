"""What a summary's words have in common with its source: the cheap signals, which need no generator.

- Words and bigrams: the share of a sentence's n-grams that the source has too, on stems. Novel n-grams are where
  abstractive summarizers make things up (Durmus et al., ACL 2020; Fabbri et al., SummEval 2021). Weakness: an honest
  paraphrase is novel as well, and a sentence of source words in a false order is not, in its words.
- Links: the share of a sentence's neighbouring content words that the source has near each other too, so that a true
  name beside a true verb counts only where the source brings them together. Weakness: negations go unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.evaluation.words import Word, read_words

# A content word is linked with so many that follow it in its sentence.
LINKED_WORDS = 2

# The source brings two words together if they are at most so many words apart, about half a sentence.
LINK_WINDOW = 8


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares from 0 to 1 of what a sentence says that the source has too; None where there is nothing to count."""

    words: float | None
    bigrams: float | None
    links: float | None


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """A source's words by their places.

    Args:
        keys: the keys of all words, in order.
        places: for each key, where in ``keys`` it is.
    """

    keys: tuple[str, ...]
    places: Mapping[str, frozenset[int]]

    def has_sequence(self, keys: Sequence[str]) -> bool:
        """Tell whether the source has these words one after the other."""
        rarest = min(range(len(keys)), key=lambda place: len(self.places.get(keys[place], ())))
        starts = (place - rarest for place in self.places.get(keys[rarest], ()))
        return any(
            all(start + offset in self.places.get(key, ()) for offset, key in enumerate(keys)) for start in starts
        )

    def has_link(self, one: str, other: str) -> bool:
        """Tell whether the source has two words near each other."""
        few, many = sorted((self.places.get(one, frozenset()), self.places.get(other, frozenset())), key=len)
        return any(
            place + distance in many for place in few for distance in range(-LINK_WINDOW, LINK_WINDOW + 1) if distance
        )

    def measure_overlap(self, words: Sequence[Word]) -> Overlap:
        """Return what a sentence shares with the source."""
        keys = [word.key for word in words]
        content = [word.key for word in words if word.is_content]
        links = [
            self.has_link(one, other)
            for place, one in enumerate(content)
            for other in content[place + 1 : place + 1 + LINKED_WORDS]
        ]
        return Overlap(
            words=_find_share([key in self.places for key in keys]),
            bigrams=_find_share([self.has_sequence(pair) for pair in pairwise(keys)]),
            links=_find_share(links),
        )


def index_source(source: str) -> SourceIndex:
    """Return a source's words by their places."""
    keys = tuple(word.key for word in read_words(source))
    places: dict[str, set[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, set()).add(place)
    return SourceIndex(keys, {key: frozenset(found) for key, found in places.items()})


def _find_share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
