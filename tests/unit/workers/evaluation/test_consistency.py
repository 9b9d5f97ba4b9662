from __future__ import annotations

import pytest

from workers.evaluation.consistency import LEXICAL, estimate_consistency


def test_the_estimate_rises_with_its_signals_and_stays_between_0_and_1() -> None:
    worst, best = (dict.fromkeys(LEXICAL.terms, value) for value in (0.0, 1.0))
    assert all(term.weight >= 0 < term.deviation for term in LEXICAL.terms.values())
    assert 0 < LEXICAL.estimate(worst) < LEXICAL.estimate(best) < 1


def test_the_support_of_a_verifier_counts_as_much_as_words_and_facts() -> None:
    signals = {"words": 1.0, "bigrams": 1.0, "links": 1.0, "facts": 1.0}

    alone = estimate_consistency(signals)

    assert estimate_consistency({**signals, "support": None}) == alone
    assert estimate_consistency({**signals, "support": 0.2}) == pytest.approx((alone + 0.2) / 2)
