import math

import numpy as np
import pytest

from tests.bench.correlations import correlate_ranks, correlate_values, estimate_correlation


def test_ranks_correlate_in_full_where_values_only_rise_together() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0, 1000.0])
    assert correlate_ranks(x, y) == pytest.approx(1.0)
    assert correlate_values(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_ties_stand_at_their_mean_rank() -> None:
    # The value that scipy.stats.spearmanr gives.
    assert correlate_ranks(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.9486833)


def test_a_constant_has_no_correlation() -> None:
    assert math.isnan(correlate_values(np.ones(3), np.array([1.0, 2.0, 3.0])))


def test_a_correlation_lies_in_its_interval() -> None:
    interval = estimate_correlation([1, 2, 3, 4, 5, 6], [1, 3, 2, 5, 4, 6], correlate=correlate_values)
    assert interval.low <= interval.value <= interval.high
