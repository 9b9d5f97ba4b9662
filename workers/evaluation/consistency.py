"""Consistency of a summary and support of its sentences: how well the source bears them out, from 0 to 1.

``consistency`` is the share of a summary that its source bears out, as people judge it sentence by sentence: the mean
over its sentences of up to four signals with equal weights. Three are overlaps (the shares of a sentence's words, word
pairs and neighbouring content words that the source has), the fourth is the verifier's probability. ``least_support``
asks whether any sentence is false: one false sentence makes a summary false, and a mean would hide it. Nothing is
fitted: unit weights hold on data of other kinds where fitted ones do not (Dawes, American Psychologist 1979).
Weakness: a free wording scores lower than a copy.
"""

from __future__ import annotations

from statistics import fmean

from workers.evaluation.lexical import Overlap


def measure_overlap(overlap: Overlap) -> float:
    """Return the mean share of a sentence that its source has, from 0 to 1."""
    shares = _list_shares(overlap)
    return fmean(shares) if shares else 0.0


def estimate_consistency(overlap: Overlap, *, score: float | None) -> float:
    """Return how consistent one sentence is with its source, from 0 to 1.

    Args:
        overlap: its overlap with the source.
        score: the verifier's probability; None without a verifier.
    """
    signals = [*_list_shares(overlap), *([] if score is None else [score])]
    return fmean(signals) if signals else 0.0


def estimate_support(overlap: Overlap, *, score: float | None, is_marked: bool) -> float:
    """Return the support of one sentence by its source, from 0 to 1.

    Args:
        overlap: its overlap with the source.
        score: the verifier's probability; None without a verifier, then the overlap stands for it.
        is_marked: whether it is a likely hallucination, which has no support.
    """
    if is_marked:
        return 0.0
    shared = measure_overlap(overlap)
    return shared if score is None else (shared + score) / 2


def _list_shares(overlap: Overlap) -> list[float]:
    return [share for share in (overlap.words, overlap.bigrams, overlap.links) if share is not None]
