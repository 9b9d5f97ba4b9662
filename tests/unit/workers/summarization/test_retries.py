from __future__ import annotations

from dataclasses import replace

import pytest

from workers.generation import GenerationParams
from workers.summarization.guards import Guard, Mark
from workers.summarization.retries import MAX_RETRIES, retry_params, vary_params

GREEDY = GenerationParams(do_sample=False, max_new_tokens=100)
GUARDS: tuple[Guard, ...] = ("empty", "cut", "too-long", "repetition", "echo", "refusal", "language")


def retry(*guards: Guard, attempt: int = 1, most: int = 200, params: GenerationParams = GREEDY) -> GenerationParams:
    changed = retry_params(params, [Mark(guard, "") for guard in guards], attempt=attempt, max_tokens=most)
    assert changed is not None
    return changed


@pytest.mark.parametrize("guard", GUARDS)
def test_every_try_differs_from_the_ones_before_it(guard: Guard) -> None:
    tries = [GREEDY, *(retry(guard, attempt=attempt) for attempt in range(1, MAX_RETRIES + 1))]
    assert len(set(tries)) == len(tries)


def test_tries_are_bounded() -> None:
    assert retry_params(GREEDY, [Mark("empty", "")], attempt=MAX_RETRIES + 1, max_tokens=100) is None


def test_the_same_try_of_the_same_step_is_the_same_again() -> None:
    assert retry("empty") == retry("empty")
    assert retry("empty").seed is not None


def test_a_loop_is_penalized_more_at_every_try() -> None:
    assert 1 < retry("repetition").repetition_penalty < retry("repetition", attempt=2).repetition_penalty


def test_an_empty_answer_is_not_penalized() -> None:
    assert retry("empty").repetition_penalty == 1


def test_an_answer_that_was_only_cut_goes_on_with_more_tokens_within_the_plan() -> None:
    assert retry("cut", most=150) == replace(GREEDY, max_new_tokens=150)
    assert retry("cut", most=150, attempt=2).max_new_tokens == 150


def test_a_cut_answer_that_may_not_grow_is_told_otherwise_at_once() -> None:
    assert retry("cut", most=50).max_new_tokens == 100
    assert retry("cut", most=50).do_sample


def test_a_loop_that_was_cut_gets_no_more_tokens_to_go_round_in() -> None:
    assert retry("cut", "repetition").max_new_tokens == 100


def test_a_try_is_never_colder_than_what_the_user_asked_for() -> None:
    warm = GenerationParams(temperature=1.5, top_p=1.0, top_k=100)
    changed = retry("empty", params=warm)
    assert (changed.temperature, changed.top_p, changed.top_k) == (1.5, 1.0, 100)


@pytest.mark.parametrize("first", [GREEDY, GenerationParams(), GenerationParams(temperature=0.9, top_p=0.9)])
def test_a_second_summary_is_made_another_way_and_the_same_way_every_time(first: GenerationParams) -> None:
    second = vary_params(first)
    assert second == vary_params(first)
    assert second.is_deterministic == (first.do_sample and first.temperature > 0.5)
    assert second.max_new_tokens == first.max_new_tokens
