"""Means, and paired differences of two batches, with bootstrap confidence intervals.

Percentile bootstrap over items (Efron 1979) with a fixed seed, so that equal numbers give equal intervals. Two batches
are compared on the documents that both have summarized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.evaluation.errors import PairingError

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
    """Return an estimate with its percentile bootstrap interval.

    Args:
        count: number of items.
        estimate: computes the estimate from item indices, shape (count,); resamples that give NaN are left out.
    """
    random = np.random.default_rng(SEED)
    resampled = [estimate(random.integers(0, count, count)) for _ in range(RESAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    return Interval(estimate(np.arange(count)), float(low), float(high), count)


# Measures of one summary by name: ROUGE, consistency, length, tokens, seconds; None where not measurable.
Measures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired difference of one measure, on the documents that have it in both batches.

    Args:
        measure: name of the measure.
        first: mean over the first batch.
        second: mean over the second batch.
        difference: mean of second minus first, with its confidence interval.
    """

    measure: str
    first: float
    second: float
    difference: Interval


def compare_batches(first: Mapping[str, Measures], second: Mapping[str, Measures]) -> list[Difference]:
    """Return the paired difference of every measure in both batches.

    Args:
        first: measures by document, under the same key in both batches.
        second: measures of the other batch.

    Raises:
        PairingError: the batches have no document in common.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise PairingError("the two batches have no document in common; compare batches over the same documents")
    names = dict.fromkeys(name for key in shared for name in first[key])
    found = (
        _compare_measure(name, [(first[key].get(name), second[key].get(name)) for key in shared]) for name in names
    )
    return [difference for difference in found if difference is not None]


def _compare_measure(name: str, values: list[tuple[float | None, float | None]]) -> Difference | None:
    pairs = [(one, other) for one, other in values if one is not None and other is not None]
    if not pairs:
        return None
    return Difference(
        measure=name,
        first=sum(one for one, _ in pairs) / len(pairs),
        second=sum(other for _, other in pairs) / len(pairs),
        difference=estimate_mean([other - one for one, other in pairs]),
    )
