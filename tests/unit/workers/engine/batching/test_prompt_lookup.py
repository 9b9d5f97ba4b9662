from __future__ import annotations

from workers.engine.attention_plan import MAX_PROPOSED
from workers.engine.batching.prompt_lookup import FIRST_PROPOSED, PromptLookup


def test_what_followed_the_last_tokens_before_is_guessed_to_follow_again() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).draft(9) == [4, 5, 6]


def test_the_longest_match_counts_and_of_those_the_last() -> None:
    assert PromptLookup([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3]).draft(1) == [7]
    assert PromptLookup([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3]).draft(1) == [8]


def test_nothing_is_guessed_where_nothing_was_there_before() -> None:
    assert PromptLookup([1, 2, 3, 4]).draft(9) == []
    assert PromptLookup([]).draft(9) == []


def test_a_period_goes_on() -> None:
    drafter = PromptLookup([1, 2, 1, 2, 1, 2])
    drafter.wanted = 5
    assert drafter.draft(9) == [1, 2, 1, 2, 1]


def test_no_more_is_guessed_than_may_be() -> None:
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).draft(2) == [4, 5]
    assert PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3]).draft(0) == []


def test_what_was_said_is_guessed_from_too() -> None:
    drafter = PromptLookup([1, 2, 3])
    drafter.learn([4, 5], drafted=1)
    drafter.learn([2, 3], drafted=1)
    assert drafter.draft(1) == [4]


def test_more_is_guessed_while_guesses_hold_and_less_when_they_do_not() -> None:
    drafter = PromptLookup(range(9))
    assert drafter.wanted == FIRST_PROPOSED
    drafter.learn([1, 2, 3, 4], drafted=3)
    assert drafter.wanted == 2 * FIRST_PROPOSED
    drafter.learn([1, 2, 3, 4, 5, 6, 7], drafted=6)
    assert drafter.wanted == MAX_PROPOSED
    drafter.learn([1, 2, 3], drafted=8)
    assert drafter.wanted == 2
    drafter.learn([1], drafted=2)
    assert drafter.wanted == 1
    drafter.learn([1], drafted=0)
    assert drafter.wanted == 1
