"""Contradictions: sentences of one answer that say the same of different names or numbers.

Small weights repeat a sentence with its name exchanged ("Arsenal win 2-1. United win 2-1."). Each alone looks borne
out, because the source has all its words near each other; at most one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from workers.evaluation.lexical import Sentence, read_content, read_words

# Fewest words that two such sentences share.
MIN_SHARED = 3
# Most words in which each of them differs from the other: a name of two words.
MAX_DIFFERENT = 2


def find_contradictions(claims: Sequence[Sentence]) -> set[int]:
    """Return the indices of the sentences that say the same as another one of somebody or something else."""
    keys = [read_content(claim.text) for claim in claims]
    names = [
        {word.key for word in read_words(claim.text) if word.text[0].isupper() or word.text[0].isdigit()}
        for claim in claims
    ]
    found: set[int] = set()
    for one, other in combinations(range(len(claims)), 2):
        first, second = keys[one] - keys[other], keys[other] - keys[one]
        is_exchange = first <= names[one] and second <= names[other] and min(len(first), len(second)) > 0
        if is_exchange and max(len(first), len(second)) <= MAX_DIFFERENT and len(keys[one] & keys[other]) >= MIN_SHARED:
            found |= {one, other}
    return found
