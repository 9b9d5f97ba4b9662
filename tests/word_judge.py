"""A judge of claims that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence

from workers.evaluation.judgement import JudgedToken, Judgement
from workers.evaluation.lexical import read_words


class WordJudge:
    """Supports a claim if the excerpt has all its words, and doubts those that it lacks; implements ``ClaimJudge``."""

    threshold = 0.5
    mark_threshold = 0.3
    fingerprint = "words"

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def judge(self, excerpt: str, claims: Sequence[str]) -> list[Judgement]:
        known = {word.key for word in read_words(excerpt)}
        return [self._judge(claim, known) for claim in claims]

    def _judge(self, claim: str, known: set[str]) -> Judgement:
        tokens = [JudgedToken(word.start, word.end, float(word.key not in known)) for word in read_words(claim)]
        return Judgement(0.1 if any(token.doubt for token in tokens) else 0.9, tuple(tokens))
