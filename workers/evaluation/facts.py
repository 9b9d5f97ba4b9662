"""Facts of a summary that are nowhere in its source: names, numbers and dates, found without a generator.

The entity-level precision of Nan et al. (EACL 2021), with the light candidates of ``candidates``. Weakness: a fact may
be in the source and still be said of the wrong thing, and a correctly computed number is not in the source.
"""

from __future__ import annotations

from workers.evaluation.candidates import Candidate, Kind, find_candidates
from workers.evaluation.overlap import SourceIndex
from workers.evaluation.words import read_words


def find_facts(text: str) -> tuple[Candidate, ...]:
    """Return the names, numbers and dates of a text."""
    return tuple(each for each in find_candidates(text) if each.kind is not Kind.PHRASE)


def is_in_source(text: str, index: SourceIndex) -> bool:
    """Tell whether every word of a text that says something is in the source."""
    return all(word.key in index.places for word in read_words(text) if word.is_content)
