from __future__ import annotations

from workers.engine.attention_plan import MAX_PROPOSED
from workers.engine.batching.prompt_lookup import FIRST_PROPOSED, PromptLookup


def test_tokens_that_followed_the_last_ones_before_are_proposed_again() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).propose(9) == [4, 5, 6]


def test_the_longest_match_counts_and_of_those_the_last() -> None:
    assert PromptLookup([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3]).propose(1) == [7]
    assert PromptLookup([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3]).propose(1) == [8]


def test_nothing_is_proposed_where_the_last_tokens_are_new() -> None:
    assert PromptLookup([1, 2, 3, 4]).propose(9) == []
    assert PromptLookup([]).propose(9) == []


def test_a_repeated_period_continues() -> None:
    lookup = PromptLookup([1, 2, 1, 2, 1, 2])
    lookup.proposal_size = 5
    assert lookup.propose(9) == [1, 2, 1, 2, 1]


def test_no_more_tokens_are_proposed_than_the_limit() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).propose(2) == [4, 5]
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).propose(0) == []


def test_generated_tokens_are_looked_up_too() -> None:
    lookup = PromptLookup([1, 2, 3])
    lookup.record_tokens([4, 5], proposed=1)
    lookup.record_tokens([2, 3], proposed=1)
    assert lookup.propose(1) == [4]


def test_proposals_grow_while_all_tokens_are_accepted_and_shrink_when_not() -> None:
    lookup = PromptLookup(range(9))
    assert lookup.proposal_size == FIRST_PROPOSED
    lookup.record_tokens([1, 2, 3, 4], proposed=3)
    assert lookup.proposal_size == 2 * FIRST_PROPOSED
    lookup.record_tokens([1, 2, 3, 4, 5, 6, 7], proposed=6)
    assert lookup.proposal_size == MAX_PROPOSED
    lookup.record_tokens([1, 2, 3], proposed=8)
    assert lookup.proposal_size == 2
    lookup.record_tokens([1], proposed=2)
    assert lookup.proposal_size == 1
    lookup.record_tokens([1], proposed=0)
    assert lookup.proposal_size == 1
