from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.generation import GenerationParams
from workers.summarization.guards import Guard, Mark
from workers.summarization.retries import MAX_GREEDY_RETRIES, MAX_RETRIES, retry_params, vary_params

GREEDY = GenerationParams(do_sample=False, max_new_tokens=100)
SAMPLED = GenerationParams(max_new_tokens=100)
GUARDS: tuple[Guard, ...] = ("empty", "cut", "too-long", "repetition", "echo", "refusal", "language")


def retry(*guards: Guard, attempt: int = 1, params: GenerationParams = GREEDY) -> GenerationParams:
    changed = retry_params(params, [Mark(guard, "") for guard in guards], attempt=attempt)
    assert changed is not None
    return changed


def list_tries(params: GenerationParams, guard: Guard) -> list[GenerationParams]:
    most = MAX_RETRIES if params.do_sample else MAX_GREEDY_RETRIES
    return [params, *(retry(guard, attempt=attempt, params=params) for attempt in range(1, most + 1))]


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("params", [GREEDY, SAMPLED])
def test_every_try_differs_from_the_ones_before_it(guard: Guard, params: GenerationParams) -> None:
    tries = list_tries(params, guard)
    assert len({(found.seed, found.repetition_penalty) for found in tries}) == len(tries)


@pytest.mark.parametrize(("params", "most"), [(GREEDY, MAX_GREEDY_RETRIES), (SAMPLED, MAX_RETRIES)])
def test_tries_are_bounded(params: GenerationParams, most: int) -> None:
    assert retry_params(params, [Mark("empty", "")], attempt=most) is not None
    assert retry_params(params, [Mark("empty", "")], attempt=most + 1) is None


def test_the_same_try_of_the_same_step_is_the_same_again() -> None:
    assert retry("empty", params=SAMPLED) == retry("empty", params=SAMPLED)
    assert retry("empty", params=SAMPLED).seed is not None


def test_a_sampled_loop_is_penalized_more_at_every_try() -> None:
    first, second = (retry("repetition", attempt=attempt, params=SAMPLED) for attempt in (1, 2))
    assert 1 < first.repetition_penalty < second.repetition_penalty


def test_a_sampled_answer_that_was_empty_is_not_penalized() -> None:
    assert retry("empty", params=SAMPLED).repetition_penalty == 1


@given(
    params=st.builds(
        GenerationParams,
        do_sample=st.booleans(),
        temperature=st.floats(0.01, 10),
        top_k=st.integers(0, 100),
        top_p=st.floats(0.01, 1),
        num_beams=st.integers(1, 4),
        max_new_tokens=st.integers(1, 1000),
        repetition_penalty=st.floats(0.5, 2),
        seed=st.one_of(st.none(), st.integers(0, 100)),
    ),
    guard=st.sampled_from(GUARDS),
)
def test_no_try_is_warmer_or_longer_than_what_the_user_asked_for(params: GenerationParams, guard: Guard) -> None:
    for first in (params, vary_params(params)):
        for tried in list_tries(first, guard):
            kept = replace(tried, seed=params.seed, repetition_penalty=params.repetition_penalty)
            assert kept == params


@pytest.mark.parametrize("first", [GREEDY, SAMPLED, replace(SAMPLED, seed=5)])
def test_a_second_summary_is_made_another_way_and_the_same_way_every_time(first: GenerationParams) -> None:
    second = vary_params(first)
    assert second == vary_params(first)
    assert second not in list_tries(first, "cut")
    assert not set(list_tries(first, "cut")) & set(list_tries(second, "cut"))
