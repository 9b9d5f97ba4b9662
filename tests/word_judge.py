"""A judge of claims that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence

from workers.evaluation.lexical import read_words


class WordJudge:
    """Supports a claim if the excerpt has all its words; implements ``ClaimJudge``."""

    threshold = 0.5
    mark_threshold = 0.3
    fingerprint = "words"

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def judge(self, excerpt: str, claims: Sequence[str]) -> list[float]:
        known = {word.key for word in read_words(excerpt)}
        return [0.9 if {word.key for word in read_words(claim)} <= known else 0.1 for claim in claims]
