"""Scores of a verifier on held-out claims: area under the ROC curve, threshold, acceptance by origin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.evaluation.lexical import index_source, read_words
from workers.finetuning.claim_groups import ClaimGroup

# Threshold without held-out claims of both kinds to choose it on.
DEFAULT_THRESHOLD = 0.5
# Smallest share of false claims that the threshold refuses.
REFUSED_SHARE = 0.9
# Share of true claims that may be marked as likely hallucinations: one sentence in fifteen of a summary by a language
# model is unsupported (RAGTruth), so that a mark is right more often than not if a quarter of them is found.
MARKED_TRUE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """Held-out claim with its score from 0 to 1."""

    score: float
    is_supported: bool
    origin: str


def judge_by_overlap(groups: Sequence[ClaimGroup]) -> Iterator[JudgedClaim]:
    """Yield the claims with the share of their words that the text has: a score that needs no training."""
    for group in groups:
        index = index_source(group.source)
        for claim in group.claims:
            overlap = index.measure_overlap(read_words(claim.text))
            yield JudgedClaim(overlap.words or 0.0, claim.is_supported, claim.origin)


def measure_auc(judged: Sequence[JudgedClaim]) -> float | None:
    """Return the share of pairs of a true and a false claim in which the true one scores higher; ties count half.

    None without claims of both kinds.
    """
    true, false = _divide(judged)
    if not len(true) or not len(false):
        return None
    differences = true[:, None] - false[None, :]  # [true, false]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())


def choose_threshold(judged: Sequence[JudgedClaim]) -> float:
    """Return the lowest threshold, halfway between two scores, that refuses nine of ten false claims.

    A false sentence that is kept costs more than a true one that is quoted instead.
    """
    true, false = _divide(judged)
    if not len(true) or not len(false):
        return DEFAULT_THRESHOLD
    scores = sorted({claim.score for claim in judged})
    above = [(one + other) / 2 for one, other in pairwise([*scores, 1.0])]
    return next(
        threshold for threshold in above if (false < threshold).mean() >= REFUSED_SHARE or threshold == above[-1]
    )


def choose_mark_threshold(judged: Sequence[JudgedClaim]) -> float:
    """Return the score below which one of a hundred true claims falls; 0, which marks nothing, without true ones."""
    true, _ = _divide(judged)
    return float(np.quantile(true, MARKED_TRUE_SHARE)) if len(true) else 0.0


def _divide(judged: Sequence[JudgedClaim]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the scores of the true and of the false claims."""
    true, false = (
        np.array([claim.score for claim in judged if claim.is_supported is kind], dtype=np.float64)
        for kind in (True, False)
    )
    return true, false


def describe_scores(judged: Sequence[JudgedClaim], *, threshold: float) -> dict[str, Any]:
    """Return AUC, balanced accuracy, and by origin the number of claims, their mean score and the share accepted."""
    if not judged:
        return {}
    true, false = _divide(judged)
    accuracy = float((true >= threshold).mean() + (false < threshold).mean()) / 2 if len(true) and len(false) else None
    by_origin: dict[str, list[float]] = defaultdict(list)
    for claim in judged:
        kind = "true" if claim.is_supported else "false"
        by_origin[f"{kind}: {claim.origin}"].append(claim.score)
    origins = {
        origin: {
            "claims": len(scores),
            "mean_score": fmean(scores),
            "accepted_share": fmean(score >= threshold for score in scores),
        }
        for origin, scores in sorted(by_origin.items())
    }
    return {"claims": len(judged), "auc": measure_auc(judged), "balanced_accuracy": accuracy, "origins": origins}
