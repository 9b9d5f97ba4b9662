"""Word overlap of a summary with its source: signals without a generator.

- Words and bigrams: the share of a sentence's stemmed n-grams that also occur in the source. Abstractive summarizers
  hallucinate in novel n-grams (Durmus et al., ACL 2020; Fabbri et al., SummEval 2021). Weakness: a correct paraphrase
  is novel too, and source words in a false order are not.
- Links: the share of a sentence's neighbouring content words that also occur near each other in the source, so that a
  correct name beside a correct verb counts only if the source has them together. Weakness: negations are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.evaluation.words import Word, read_words

# Number of following content words to which a content word is linked.
LINKED_WORDS = 2

# Maximum distance of two linked words in the source, in words: about half a sentence.
LINK_WINDOW = 8


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares, from 0 to 1, of a sentence's words, bigrams and links that occur in the source; None without any."""

    words: float | None
    bigrams: float | None
    links: float | None


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """Positional index of a source's words.

    Args:
        keys: keys of all words, in order.
        places: positions in ``keys``, by key.
    """

    keys: tuple[str, ...]
    places: Mapping[str, frozenset[int]]

    def has_sequence(self, keys: Sequence[str]) -> bool:
        """Tell whether the source has these words in direct sequence."""
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
        """Return the overlap of a sentence with the source."""
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
    """Build the positional index of a source."""
    keys = tuple(word.key for word in read_words(source))
    places: dict[str, set[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, set()).add(place)
    return SourceIndex(keys, {key: frozenset(found) for key, found in places.items()})


def _find_share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
