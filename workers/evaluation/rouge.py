"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries against references, by Google's rouge-score (Lin 2004)."""

from __future__ import annotations

from functools import cache

from rouge_score.rouge_scorer import RougeScorer

ROUGE_METRICS = ("rouge1", "rouge2", "rougeL")


def score_rouge(summary: str, reference: str) -> dict[str, float]:
    """Return the F1 of one summary by metric, from 0 to 1, on stems."""
    scores = _load_scorer().score(reference, summary)
    return {name: float(scores[name].fmeasure) for name in ROUGE_METRICS}


@cache
def _load_scorer() -> RougeScorer:
    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True)
