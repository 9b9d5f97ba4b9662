from __future__ import annotations

import pytest

from workers.evaluation.consistency import estimate_consistency, estimate_support
from workers.evaluation.lexical import Overlap

COPY = Overlap(words=1.0, bigrams=1.0, links=1.0)
FREE = Overlap(words=0.9, bigrams=0.3, links=None)


def test_a_copy_is_fully_supported_and_a_free_wording_less() -> None:
    assert estimate_support(COPY, score=None, is_marked=False) == 1.0
    assert estimate_support(FREE, score=None, is_marked=False) == pytest.approx(0.6)


def test_a_verifier_counts_as_much_as_the_overlap() -> None:
    assert estimate_support(FREE, score=1.0, is_marked=False) == pytest.approx(0.8)
    assert estimate_support(COPY, score=0.2, is_marked=False) == pytest.approx(0.6)


def test_a_mark_halves_the_support() -> None:
    assert estimate_support(COPY, score=None, is_marked=True) == 0.5


def test_a_sentence_without_words_to_compare_has_no_support() -> None:
    assert estimate_support(Overlap(None, None, None), score=None, is_marked=False) == 0.0


def test_the_weakest_sentence_counts_as_much_as_the_mean_of_all() -> None:
    assert estimate_consistency([1.0, 0.5]) == 0.625
    assert estimate_consistency([0.4]) == 0.4
