"""Scores of a verifier on held-out claims."""

from __future__ import annotations

import pytest

from workers.finetuning.claim_groups import ClaimGroup, TrainingClaim
from workers.finetuning.verifier_scores import (
    JudgedClaim,
    choose_mark_threshold,
    choose_threshold,
    describe_scores,
    judge_by_overlap,
    measure_auc,
)


def judge(true: list[float], false: list[float]) -> list[JudgedClaim]:
    return [
        *(JudgedClaim(score, True, "reference") for score in true),
        *(JudgedClaim(score, False, "negation") for score in false),
    ]


@pytest.mark.parametrize(
    ("true", "false", "auc"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1, 0.2], [0.9, 0.8], 0.0),
        ([0.5], [0.5], 0.5),
        ([0.9, 0.3], [0.1, 0.5], 0.75),
        ([0.9], [], None),
        ([], [0.9], None),
    ],
)
def test_the_auc_is_the_share_of_pairs_in_order(true: list[float], false: list[float], auc: float | None) -> None:
    assert measure_auc(judge(true, false)) == auc


def test_the_threshold_refuses_nine_of_ten_false_claims() -> None:
    false = [place / 100 for place in range(10)]
    judged = judge([0.3, 0.8], [*false[:9], 0.7])

    assert choose_threshold(judged) == pytest.approx(0.19)
    assert describe_scores(judged, threshold=0.19)["balanced_accuracy"] == pytest.approx(0.95)


def test_a_threshold_above_all_false_claims_is_found_even_where_no_true_one_is_left() -> None:
    assert choose_threshold(judge([0.9, 0.5], [0.3, 0.1])) == pytest.approx(0.4)
    assert choose_threshold(judge([0.6], [0.1, 0.9])) == pytest.approx(0.95)


@pytest.mark.parametrize("judged", [[], judge([0.9], []), judge([], [0.2, 0.4])])
def test_without_claims_of_both_kinds_the_threshold_is_one_half(judged: list[JudgedClaim]) -> None:
    assert choose_threshold(judged) == 0.5


def test_one_true_claim_in_a_hundred_lies_below_the_mark_threshold() -> None:
    true = [place / 1000 for place in range(200)]
    mark = choose_mark_threshold(judge(true, [0.0] * 50))
    assert sum(score < mark for score in true) == 2
    assert choose_mark_threshold(judge([], [0.1])) == 0


def test_scores_are_described_by_origin() -> None:
    described = describe_scores(judge([0.9, 0.4], [0.1]), threshold=0.5)
    assert described["origins"] == {
        "false: negation": {"claims": 1, "mean_score": 0.1, "accepted_share": 0.0},
        "true: reference": {"claims": 2, "mean_score": pytest.approx(0.65), "accepted_share": 0.5},
    }
    assert (described["claims"], described["auc"], described["balanced_accuracy"]) == (3, 1.0, 0.75)
    assert describe_scores([], threshold=0.5) == {}


def test_word_overlap_is_the_share_of_known_words() -> None:
    claims = (TrainingClaim("The river rose.", True, "a"), TrainingClaim("The council rose.", False, "b"))
    judged = list(judge_by_overlap([ClaimGroup("The river rose today.", claims, "x")]))
    assert [claim.score for claim in judged] == [1.0, pytest.approx(2 / 3)]
