"""Lengths: a requested number of words, as tokens of an answer and as the sentences that are kept."""

from __future__ import annotations

import math

from workers.evaluation.lexical import find_words, split_sentences

# A summary may be this much longer than asked before sentences are left out.
MAX_EXCESS = 1.3

# Tokens of a word, enough for languages with long ones; an answer's last sentence may be cut at its maximum.
TOKENS_PER_WORD = 3


def count_words(text: str) -> int:
    """Return the number of words of a text; in scripts without spaces each character is one."""
    return sum(1 for _ in find_words(text))


def limit_tokens(max_new_tokens: int, words: int | None) -> int:
    """Return the maximum tokens of an answer of about this many words; never more than was allowed."""
    return max_new_tokens if words is None else min(max_new_tokens, math.ceil(words * MAX_EXCESS * TOKENS_PER_WORD))


def limit_sentences(text: str, words: int) -> str:
    """Return a text without the sentences that begin after too many words, or end far beyond; at least the first."""
    end = total = 0
    for sentence in split_sentences(text):
        total += count_words(sentence.text)
        if end and total > words * MAX_EXCESS:
            return text[:end].rstrip()
        end = sentence.end
    return text
