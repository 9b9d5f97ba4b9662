"""Facts of a summary that its source lacks: names, numbers and dates, found without a generator.

This is the entity-level precision of Nan et al. (EACL 2021), with the candidates of ``candidates``. Weakness: a fact of
the source may be stated of the wrong thing, and a correctly computed number is not in the source.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.overlap import LINKED_WORDS, SourceIndex
from workers.evaluation.words import Word, read_words


def find_facts(text: str) -> tuple[Candidate, ...]:
    """Return the names, numbers and dates of a text."""
    return tuple(candidate for candidate in find_candidates(text) if candidate.kind is not CandidateKind.PHRASE)


def is_in_source(text: str, index: SourceIndex) -> bool:
    """Tell whether every content word of a text is in the source."""
    return all(word.key in index.places for word in read_words(text) if word.is_content)


def find_unlinked(text: str, index: SourceIndex) -> tuple[Candidate, ...]:
    """Return the facts of a sentence that occur in the source, but never near their neighbouring content words."""
    content = [word for word in read_words(text) if word.is_content]
    return tuple(
        fact for fact in find_facts(text) if is_in_source(fact.text, index) and _is_apart(fact, content, index)
    )


def _is_apart(fact: Candidate, content: Sequence[Word], index: SourceIndex) -> bool:
    inside = [place for place, word in enumerate(content) if word.start < fact.end and fact.start < word.end]
    if not inside:
        return False
    first, last = inside[0], inside[-1] + 1
    beside = (*content[max(0, first - LINKED_WORDS) : first], *content[last : last + LINKED_WORDS])
    known = [word.key for word in beside if word.key in index.places]
    return bool(known) and not any(index.has_link(word.key, key) for word in content[first:last] for key in known)
