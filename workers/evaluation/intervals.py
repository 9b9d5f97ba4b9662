"""Means with bootstrap confidence intervals.

Percentile bootstrap over items (Efron 1979) with a fixed seed, so that equal numbers give equal intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

# Enough for two stable digits of a 95 % interval.
RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 20_200_704


@dataclass(frozen=True, slots=True)
class Interval:
    """Estimate with its confidence interval.

    Args:
        value: estimate from all items.
        low: lower end of the interval.
        high: upper end of the interval.
        count: number of items.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate_mean(values: Sequence[float]) -> Interval:
    """Return the mean of at least one value with its interval."""
    numbers = np.asarray(values, dtype=np.float64)
    return bootstrap(len(numbers), lambda items: float(numbers[items].mean()))


def bootstrap(count: int, estimate: Callable[[npt.NDArray[np.int64]], float]) -> Interval:
    """Return an estimate with its interval.

    Args:
        count: number of items.
        estimate: computes the estimate from the indices of some of them; resamples without a number are left out.
    """
    random = np.random.default_rng(SEED)
    resampled = [estimate(random.integers(0, count, count)) for _ in range(RESAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    return Interval(estimate(np.arange(count)), float(low), float(high), count)
