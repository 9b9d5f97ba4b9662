"""Slope of a series of readings with its interval, for figures that must not grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, linear_regression

# Readings follow one another so fast that neighbours say the same twice; the means of a few blocks hardly do.
BLOCKS = 20
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Slope:
    """Straight line through the means of the blocks of a series.

    Args:
        first: mean of the first block.
        last: mean of the last block.
        per_unit: slope.
        margin: half of the interval around the slope, at ``CONFIDENCE``.
    """

    first: float
    last: float
    per_unit: float
    margin: float

    @property
    def is_above_zero(self) -> bool:
        """Tell whether the whole interval lies above zero."""
        return self.per_unit - self.margin > 0


def fit_slope(places: Sequence[float], values: Sequence[float], *, blocks: int = BLOCKS) -> Slope:
    """Fit a line by least squares to the means of blocks.

    Args:
        places: where each value was read, in ascending order.
        values: as many.
        blocks: number of blocks of as many values each; fewer if there are fewer values.

    Raises:
        ValueError: there are fewer than three values, from which no interval follows.
    """
    count = min(blocks, len(values))
    if count < 3:
        raise ValueError(f"{len(values)} readings are too few for a slope with an interval: three are needed")
    edges = [len(values) * number // count for number in range(count + 1)]
    xs, ys = ([fmean(series[start:end]) for start, end in pairwise(edges)] for series in (places, values))
    slope, intercept = linear_regression(xs, ys)
    middle = fmean(xs)
    spread = sum((x - middle) ** 2 for x in xs)
    residual = sum((y - intercept - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    deviation = (residual / (count - 2) / spread) ** 0.5
    return Slope(ys[0], ys[-1], slope, find_quantile(count - 2) * deviation)


def find_quantile(freedom: int) -> float:
    """Return the two-sided quantile of Student's t, by the series in its degrees of freedom; exact enough from 5 on."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
