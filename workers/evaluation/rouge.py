"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries against references, by Google's rouge-score (Lin 2004)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from rouge_score.rouge_scorer import RougeScorer

from workers.evaluation.errors import PairingError
from workers.evaluation.intervals import Interval, estimate_mean

ROUGE_METRICS = ("rouge1", "rouge2", "rougeL")


@dataclass(frozen=True, slots=True)
class RougeReport:
    """ROUGE of several summaries.

    Args:
        rows: each summary's F1 by metric, from 0 to 1.
        means: their means with confidence intervals.
    """

    rows: tuple[Mapping[str, float], ...]
    means: Mapping[str, Interval]


def score_rouge(summary: str, reference: str) -> dict[str, float]:
    """Return the F1 of one summary by metric, from 0 to 1, on stems."""
    scores = _load_scorer().score(reference, summary)
    return {name: float(scores[name].fmeasure) for name in ROUGE_METRICS}


def report_rouge(summaries: Sequence[str], references: Sequence[str]) -> RougeReport:
    """Return the ROUGE of summaries against the references in the same places.

    Raises:
        PairingError: there is nothing to score, or not one reference for each summary.
    """
    if not summaries or len(summaries) != len(references):
        counts = f"{len(summaries)} summaries and {len(references)} references"
        raise PairingError(f"{counts} cannot be scored: give one reference for each summary, and at least one")
    rows = tuple(score_rouge(summary, reference) for summary, reference in zip(summaries, references, strict=True))
    return RougeReport(rows, {name: estimate_mean([row[name] for row in rows]) for name in ROUGE_METRICS})


@cache
def _load_scorer() -> RougeScorer:
    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True)
