"""Pearson's and Spearman's correlation, and their bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from workers.evaluation.intervals import Interval, Numbers, bootstrap


def estimate_correlation(
    some: Sequence[float], others: Sequence[float], *, correlate: Callable[[Numbers, Numbers], float]
) -> Interval:
    """Return a correlation of at least two pairs with its interval; resamples without any spread are left out."""
    x, y = np.asarray(some, dtype=np.float64), np.asarray(others, dtype=np.float64)
    return bootstrap(len(x), lambda items: correlate(x[items], y[items]))


def correlate_values(x: Numbers, y: Numbers) -> float:
    """Return Pearson's correlation; not a number where either side is constant."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else float("nan")


def correlate_ranks(x: Numbers, y: Numbers) -> float:
    """Return Spearman's correlation, ties at their mean rank."""
    return correlate_values(_rank(x), _rank(y))


def _rank(values: Numbers) -> Numbers:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + 1 + ends) / 2)[places]
