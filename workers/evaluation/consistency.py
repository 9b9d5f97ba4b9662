"""Consistency of a summary: how well its source bears it out, from 0 to 1.

Half is the mean overlap of its sentences with the source: the shares of their words, word pairs and neighbouring
content words that the source has. Half is the lowest probability that the verifier gives a sentence, 0 for one that is
marked as a likely hallucination: one false sentence makes a summary false, and a mean would hide it. Nothing is fitted:
unit weights hold on data of other kinds where fitted ones do not (Dawes, American Psychologist 1979). Weakness: a free
wording scores lower than a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workers.evaluation.lexical import Overlap


def measure_overlap(overlap: Overlap) -> float:
    """Return the mean share of a sentence that its source has, from 0 to 1."""
    shares = [share for share in (overlap.words, overlap.bigrams, overlap.links) if share is not None]
    return fmean(shares) if shares else 0.0


def estimate_probability(overlap: Overlap, *, score: float | None, is_marked: bool) -> float:
    """Return how probably the source bears out one sentence, from 0 to 1.

    Args:
        overlap: its overlap with the source.
        score: the verifier's probability; None without a verifier, then the overlap stands for it.
        is_marked: whether it is a likely hallucination.
    """
    if is_marked:
        return 0.0
    return measure_overlap(overlap) if score is None else score


def estimate_consistency(overlaps: Sequence[float], probabilities: Sequence[float]) -> float:
    """Return the consistency of a summary from the overlaps and probabilities of its sentences, at least one."""
    return (fmean(overlaps) + min(probabilities)) / 2
