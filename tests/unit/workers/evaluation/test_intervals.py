import numpy as np

from workers.evaluation.intervals import estimate_mean


def test_the_same_values_give_the_same_interval() -> None:
    assert estimate_mean([1.0, 2.0, 4.0]) == estimate_mean([1.0, 2.0, 4.0])


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    intervals = [estimate_mean(random.normal(0, 1, 40).tolist()) for _ in range(60)]
    assert sum(interval.low <= 0 <= interval.high for interval in intervals) >= 51


def test_one_value_is_its_own_interval() -> None:
    interval = estimate_mean([3.0])
    assert (interval.low, interval.value, interval.high) == (3.0, 3.0, 3.0)
