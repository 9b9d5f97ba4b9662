"""The slope of readings, and the interval around it."""

from __future__ import annotations

import random

import pytest

from tests.bench.slopes import find_quantile, fit_slope


def test_a_line_is_found_with_an_interval_of_no_width() -> None:
    slope = fit_slope(range(100), [5 + 0.25 * place for place in range(100)])

    assert slope.per_unit == pytest.approx(0.25)
    assert slope.margin == pytest.approx(0, abs=1e-9)
    # Means of the first and the last five values.
    assert (slope.first, slope.last) == pytest.approx((5.5, 29.25))
    assert slope.is_above_zero


def test_the_interval_is_that_of_least_squares() -> None:
    slope = fit_slope([1, 2, 3, 4, 5, 6, 7], [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 7.0])

    # Standard error of scipy.stats.linregress, 0.1659850, times its t of 5 degrees of freedom, 2.5705818.
    assert slope.per_unit == pytest.approx(0.9285714)
    assert slope.margin == pytest.approx(0.42668, rel=0.002)


def test_noise_about_a_constant_does_not_count_as_growth() -> None:
    chance = random.Random(3)

    assert not fit_slope(range(400), [100 + chance.gauss(0, 5) for _ in range(400)]).is_above_zero
    assert not fit_slope(range(400), [7] * 400).is_above_zero


@pytest.mark.parametrize(("freedom", "expected"), [(5, 2.5706), (10, 2.2281), (18, 2.1009)])
def test_the_quantile_is_that_of_student(freedom: int, expected: float) -> None:
    assert find_quantile(freedom) == pytest.approx(expected, rel=0.002)


def test_two_readings_give_no_slope() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_slope([1, 2], [1.0, 2.0])
