from __future__ import annotations

import pytest

from workers.evaluation.consistency import estimate_consistency, estimate_probability, measure_overlap
from workers.evaluation.lexical import Overlap

COPY = Overlap(words=1.0, bigrams=1.0, links=1.0)
FREE = Overlap(words=0.9, bigrams=0.3, links=None)
EMPTY = Overlap(None, None, None)


def test_a_copy_overlaps_fully_and_a_free_wording_less() -> None:
    assert measure_overlap(COPY) == 1.0
    assert measure_overlap(FREE) == pytest.approx(0.6)
    assert measure_overlap(EMPTY) == 0.0


def test_the_overlap_stands_for_a_missing_verifier() -> None:
    assert estimate_probability(FREE, score=None, is_marked=False) == pytest.approx(0.6)
    assert estimate_probability(COPY, score=0.2, is_marked=False) == 0.2


def test_a_marked_sentence_has_no_probability() -> None:
    assert estimate_probability(COPY, score=0.9, is_marked=True) == 0.0


def test_the_least_probable_sentence_counts_as_much_as_the_overlap_of_all() -> None:
    assert estimate_consistency([1.0, 0.5], [0.9, 0.25]) == 0.5
    assert estimate_consistency([0.4], [0.8]) == pytest.approx(0.6)
