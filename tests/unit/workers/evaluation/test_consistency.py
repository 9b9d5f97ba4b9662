from __future__ import annotations

import pytest

from workers.evaluation.consistency import estimate_consistency, estimate_support, measure_overlap
from workers.evaluation.lexical import Overlap

COPY = Overlap(words=1.0, bigrams=1.0, links=1.0)
FREE = Overlap(words=0.9, bigrams=0.3, links=None)
EMPTY = Overlap(None, None, None)


def test_a_copy_overlaps_fully_and_a_free_wording_less() -> None:
    assert measure_overlap(COPY) == 1.0
    assert measure_overlap(FREE) == pytest.approx(0.6)
    assert measure_overlap(EMPTY) == 0.0


def test_the_verifier_is_one_of_four_signals_with_equal_weights() -> None:
    assert estimate_consistency(COPY, score=0.2) == pytest.approx(0.8)
    assert estimate_consistency(FREE, score=0.3) == pytest.approx(0.5)
    assert estimate_consistency(FREE, score=None) == pytest.approx(0.6)
    assert estimate_consistency(EMPTY, score=None) == 0.0


def test_support_is_half_overlap_and_half_the_verifier() -> None:
    assert estimate_support(COPY, score=0.2, is_marked=False) == pytest.approx(0.6)


def test_the_overlap_stands_for_a_missing_verifier() -> None:
    assert estimate_support(FREE, score=None, is_marked=False) == pytest.approx(0.6)


def test_a_marked_sentence_has_no_support() -> None:
    assert estimate_support(COPY, score=0.9, is_marked=True) == 0.0
