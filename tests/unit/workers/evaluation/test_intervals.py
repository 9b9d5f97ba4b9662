import numpy as np
import pytest

from workers.evaluation.errors import PairingError
from workers.evaluation.intervals import compare_batches, estimate_mean


def test_the_same_values_give_the_same_interval() -> None:
    assert estimate_mean([1.0, 2.0, 4.0]) == estimate_mean([1.0, 2.0, 4.0])


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    intervals = [estimate_mean(random.normal(0, 1, 40).tolist()) for _ in range(60)]
    assert sum(interval.low <= 0 <= interval.high for interval in intervals) >= 51


def test_one_value_is_its_own_interval() -> None:
    interval = estimate_mean([3.0])
    assert (interval.low, interval.value, interval.high) == (3.0, 3.0, 3.0)


def test_differences_are_paired_by_document() -> None:
    first = {"a": {"tokens": 10.0}, "b": {"tokens": 200.0}, "only-first": {"tokens": 0.0}}
    second = {"b": {"tokens": 203.0}, "a": {"tokens": 11.0}}
    (difference,) = compare_batches(first, second)
    assert (difference.measure, difference.first, difference.second) == ("tokens", 105.0, 107.0)
    assert (difference.difference.value, difference.difference.count) == (2.0, 2)
    assert difference.difference.low > 0


def test_a_document_without_a_measure_is_left_out_of_that_measure() -> None:
    first = {"a": {"consistency": None, "seconds": 1.0}, "b": {"consistency": 0.5, "seconds": 1.0}}
    second = {"a": {"consistency": 0.9, "seconds": 2.0}, "b": {"consistency": 0.4, "seconds": 0.0}}
    consistency, seconds = compare_batches(first, second)
    assert consistency.difference.count == 1
    assert consistency.difference.value == pytest.approx(-0.1)
    assert seconds.difference.low < 0 < seconds.difference.high


def test_a_measure_that_no_document_has_in_both_batches_is_not_compared() -> None:
    assert compare_batches({"a": {"rouge1": 0.1, "facts": None}}, {"a": {"facts": 1.0}}) == []


def test_batches_over_different_documents_are_refused() -> None:
    with pytest.raises(PairingError, match="no document in common"):
        compare_batches({"a": {}}, {"b": {}})
