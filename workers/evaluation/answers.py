"""Answers and how alike two of them are, as SQuAD measures it (Rajpurkar et al., EMNLP 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter

# What a text answers that does not say it; both of these against each other agree.
UNANSWERABLE = "unanswerable"

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return an answer in lower case, without punctuation, articles and extra white space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def score_f1(answer: str, expected: str) -> float:
    """Return the F1 of the tokens of two answers, from 0 to 1."""
    some, others = normalize_answer(answer).split(), normalize_answer(expected).split()
    if not some or not others:
        return float(some == others)
    common = sum((Counter(some) & Counter(others)).values())
    return 2 * common / (len(some) + len(others))
