"""Answers: normalization and token F1 of two answers, as in SQuAD (Rajpurkar et al., EMNLP 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter

# Answer of a text that does not contain the fact; two such answers agree.
UNANSWERABLE = "unanswerable"

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return an answer in lower case, without punctuation, articles or extra white space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def score_f1(answer: str, expected: str) -> float:
    """Return the token F1 of two answers, from 0 to 1."""
    some, others = normalize_answer(answer).split(), normalize_answer(expected).split()
    if not some or not others:
        return float(some == others)
    common = sum((Counter(some) & Counter(others)).values())
    return 2 * common / (len(some) + len(others))
