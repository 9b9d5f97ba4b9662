"""Consistency of a summary: how well its source bears it out, from 0 to 1: half its sentences' mean, half the weakest.

A sentence's support is the mean of the verifier's probability and of its overlap with the source: the shares of its
words, word pairs and neighbouring content words that the source has. Nothing is fitted: unit weights hold on data of
other kinds where fitted ones do not (Dawes, American Psychologist 1979). A sentence that is marked as a likely
hallucination counts half. Weakness: a free wording scores lower than a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workers.evaluation.lexical import Overlap

# Factor on the support of a marked sentence.
MARKED_FACTOR = 0.5


def estimate_support(overlap: Overlap, *, score: float | None, is_marked: bool) -> float:
    """Return the support of one sentence, from 0 to 1.

    Args:
        overlap: its overlap with the source.
        score: the verifier's probability; None without a verifier.
        is_marked: whether it is a likely hallucination.
    """
    shares = [share for share in (overlap.words, overlap.bigrams, overlap.links) if share is not None]
    found = fmean(shares) if shares else 0.0
    support = found if score is None else (found + score) / 2
    return support * MARKED_FACTOR if is_marked else support


def estimate_consistency(supports: Sequence[float]) -> float:
    """Return the consistency of a summary from the supports of its sentences, at least one.

    One false sentence among many makes a summary false, and a mean alone would hide it.
    """
    return (fmean(supports) + min(supports)) / 2
