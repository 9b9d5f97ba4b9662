"""Judgement of a claim: how probably an excerpt bears it out, and which of its tokens the judge doubts.

A verifier classifies every token of a claim, so it can point at a part. A token is judged by those before it alone:
where a false name makes unlikely what follows, that may be pointed at instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.lexical import read_words

# Offsets of characters, the end exclusive.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """Token of a claim.

    Args:
        start: offset of its first character in the claim.
        end: offset after its last character.
        doubt: probability that it is unsupported, from 0 to 1.
    """

    start: int
    end: int
    doubt: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Judgement of one claim.

    Args:
        probability: that the excerpt bears the claim out, from 0 to 1.
        tokens: tokens of the claim.
    """

    probability: float
    tokens: tuple[JudgedToken, ...]

    def measure_doubt(self, span: Span) -> float:
        """Return the probability that a part of the claim is unsupported: that of its most doubtful token."""
        start, end = span
        return max((token.doubt for token in self.tokens if token.start < end and start < token.end), default=0.0)


def find_doubtful(claim: str, facts: Sequence[Span], judgement: Judgement) -> Span | None:
    """Return the part of a claim that its judgement doubts most: a fact, or a content word if it has no facts.

    Facts come first because most errors of summaries are in them. In refused sentences of summaries outside the
    training the part is the planted fact in nine of ten cases, where a random fact would be in four; a second part
    would find little more and double the doubts of true sentences.

    Args:
        claim: the claim.
        facts: spans of its names, numbers and dates.
        judgement: its judgement.
    """
    parts = facts or [(word.start, word.end) for word in read_words(claim) if word.is_content]
    return max(parts, key=judgement.measure_doubt, default=None) if judgement.tokens else None
