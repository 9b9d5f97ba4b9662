from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from workers.engine.batching.sampling import Draws, Sampler, sample_tokens
from workers.engine.block_topk import BLOCK, block_argmax, block_topk
from workers.generation import GenerationParams

GREEDY = GenerationParams(do_sample=False)
VOCABULARY = 500


def choose(scores: torch.Tensor, samplers: list[Sampler]) -> list[int]:
    """Return one token for each request, none of which has speculative tokens."""
    return [token for (token,) in sample_tokens(scores, samplers)]


def make_draws(seed: int) -> Draws:
    return Draws(torch.Generator().manual_seed(seed))


def draw(scores: torch.Tensor, params: GenerationParams, times: int) -> torch.Tensor:
    """Return how often each token was drawn, as parts of all draws."""
    generator = torch.Generator().manual_seed(7)
    samplers = [Sampler(params, Draws(generator), [0]) for _ in range(times)]
    tokens = choose(scores.expand(times, -1).clone(), samplers)
    return torch.bincount(torch.tensor(tokens), minlength=VOCABULARY) / times


def test_greedy_takes_the_best_token() -> None:
    scores = torch.randn(3, VOCABULARY)
    assert choose(scores.clone(), [Sampler(GREEDY)] * 3) == scores.argmax(-1).tolist()


@pytest.mark.parametrize("params", [GREEDY, GenerationParams(top_k=1), GenerationParams(top_k=0, temperature=100.0)])
def test_suppressed_tokens_are_never_chosen(params: GenerationParams) -> None:
    scores = torch.randn(20, VOCABULARY)
    suppressed = list(range(VOCABULARY - 3))
    chosen = choose(scores.clone(), [Sampler(params, suppressed=suppressed)] * 20)
    assert set(chosen) <= set(range(VOCABULARY - 3, VOCABULARY))
    if params.top_k == 1 or not params.do_sample:
        assert chosen == (scores[:, VOCABULARY - 3 :].argmax(-1) + VOCABULARY - 3).tolist()


@pytest.mark.parametrize("size", [VOCABULARY, 4 * BLOCK, 40 * BLOCK])
def test_the_largest_scores_are_found_as_torch_finds_them(size: int) -> None:
    scores = torch.randn(5, size)
    expected = torch.topk(scores, 20)
    values, places = block_topk(scores, 20)
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)
    assert torch.equal(block_argmax(scores), scores.argmax(-1))


def test_of_equal_scores_the_first_is_the_best() -> None:
    scores = torch.zeros(1, 4 * BLOCK)
    scores[0, [BLOCK + 5, BLOCK + 9, 3 * BLOCK]] = 1.0
    assert block_argmax(scores).tolist() == [BLOCK + 5]


def verify(best: list[int], proposed: list[int], **options: object) -> list[int]:
    """Return the tokens that are generated if each row's best token is given."""
    scores = torch.nn.functional.one_hot(torch.tensor(best), VOCABULARY).float()
    return sample_tokens(scores, [Sampler(GREEDY, proposed=proposed, **options)])[0]  # type: ignore[arg-type]


def test_speculative_tokens_are_accepted_up_to_the_first_wrong_one() -> None:
    assert verify([4, 5, 6, 7], [4, 5, 6]) == [4, 5, 6, 7]
    assert verify([4, 5, 6, 7], [4, 9, 6]) == [4, 5]
    assert verify([4, 5, 6, 7], [9, 5, 6]) == [4]


def test_nothing_comes_after_an_end() -> None:
    assert verify([4, 5, 6, 7], [4, 5, 6], eos_ids={5}) == [4, 5]


def test_a_penalty_counts_speculative_tokens_as_seen() -> None:
    scores = torch.zeros(2, VOCABULARY)
    scores[:, 4], scores[:, 8] = 2.0, 1.5
    params = replace(GREEDY, repetition_penalty=1.7)
    assert sample_tokens(scores, [Sampler(params, seen=[0], proposed=[4])]) == [[4, 8]]


def test_speculative_tokens_do_not_change_the_draws_of_a_seed() -> None:
    scores = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(3))
    params = GenerationParams(temperature=2.0, top_k=0, top_p=1.0)
    draws = make_draws(5)
    alone = [choose(row.unsqueeze(0).clone(), [Sampler(params, draws)])[0] for row in scores]
    together = sample_tokens(scores.clone(), [Sampler(params, make_draws(5), proposed=alone[:2])])
    assert together == [alone]


@pytest.mark.parametrize(
    "params",
    [
        GenerationParams(temperature=0.7, top_k=20, top_p=0.9),
        GenerationParams(temperature=1.5, top_k=0, top_p=0.6),
        GenerationParams(temperature=1.0, top_k=5, top_p=1.0),
    ],
)
def test_sampling_follows_the_distribution_of_transformers(params: GenerationParams) -> None:
    scores = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(1)) * 3
    warpers = LogitsProcessorList([TemperatureLogitsWarper(params.temperature)])
    if params.top_k:
        warpers.append(TopKLogitsWarper(params.top_k))
    warpers.append(TopPLogitsWarper(params.top_p))
    expected = warpers(torch.zeros(1, 1, dtype=torch.long), scores.clone()).softmax(-1)[0]
    drawn = draw(scores, params, 4000)
    assert torch.equal(drawn[expected == 0], torch.zeros_like(drawn[expected == 0]))
    assert torch.allclose(drawn, expected, atol=0.03)


def test_repetition_penalty_is_that_of_transformers() -> None:
    scores = torch.randn(1, VOCABULARY)
    seen = [3, 3, 8, int(scores.argmax())]
    params = replace(GREEDY, repetition_penalty=1.7)
    expected = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([seen]), scores.clone())
    changed = scores.clone()
    assert choose(changed, [Sampler(params, seen=seen)]) == expected.argmax(-1).tolist()
    assert torch.equal(changed, expected)


def test_a_row_is_chosen_by_its_own_parameters_alone() -> None:
    scores = torch.randn(4, VOCABULARY, generator=torch.Generator().manual_seed(2))
    hot = GenerationParams(temperature=5.0, top_k=0, top_p=1.0, repetition_penalty=3.0)
    alone = choose(scores[:1].clone(), [Sampler(GREEDY)])
    crowd = [Sampler(hot, seen=list(range(50))) for _ in range(3)]
    together = choose(scores.clone(), [Sampler(GREEDY), *crowd])
    assert together[0] == alone[0]


def test_a_seeded_row_draws_the_same_beside_any_neighbours() -> None:
    scores = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(3))
    params = GenerationParams(temperature=2.0, top_k=0, top_p=1.0)

    def draw_first(neighbours: int) -> int:
        samplers = [Sampler(params, make_draws(5)), *(Sampler(params) for _ in range(neighbours))]
        return choose(scores[: neighbours + 1].clone(), samplers)[0]

    assert draw_first(0) == draw_first(1) == draw_first(2)


@pytest.mark.parametrize(
    ("changes", "top_count", "penalized"),
    [
        ({}, 1, []),
        ({"repetition_penalty": 1.3}, 1, [5, 6, 7]),
        ({"repetition_penalty": 0.8}, 0, []),
        ({"do_sample": True, "top_k": 20}, 20, []),
        ({"do_sample": True, "top_k": 20, "repetition_penalty": 1.1}, 20, [5, 6, 7]),
        ({"do_sample": True, "top_k": 0, "repetition_penalty": 1.1}, 0, [5, 6, 7]),
    ],
)
def test_a_sampler_needs_only_its_candidates_and_penalized_ids_exactly(
    changes: dict[str, Any], top_count: int, penalized: list[int]
) -> None:
    sampler = Sampler(replace(GREEDY, **changes), seen=[5, 6], proposed=[7])
    assert (sampler.top_count, list(sampler.penalized)) == (top_count, penalized)


def draw_alone(row: torch.Tensor, params: GenerationParams, generator: torch.Generator) -> int:
    """Return a token of logits (vocabulary,) by torch's own draw."""
    values, ids = torch.topk(row, params.top_k or len(row))
    probabilities = torch.softmax((values - values[0]) / params.temperature, dim=-1)
    probabilities[probabilities.cumsum(dim=-1) - probabilities >= params.top_p] = 0
    return int(ids[torch.multinomial(probabilities, 1, generator=generator)[0]])


def test_each_request_of_a_batch_draws_what_torch_draws_for_it_alone() -> None:
    wanted = [
        GREEDY,
        GenerationParams(temperature=2.0, top_k=20, top_p=0.9),
        GenerationParams(temperature=5.0, top_k=0, top_p=1.0),
        GenerationParams(temperature=0.5, top_k=20, top_p=1.0),
        GenerationParams(temperature=3.0, top_k=7, top_p=0.8),
    ]
    draws = [make_draws(seed) for seed in range(len(wanted))]
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(wanted))]
    for step in range(20):
        scores = torch.randn(len(wanted), VOCABULARY, generator=torch.Generator().manual_seed(step))
        expected = [
            draw_alone(row, params, generator) if params.do_sample else int(row.argmax())
            for row, params, generator in zip(scores, wanted, generators, strict=True)
        ]
        assert choose(scores, [Sampler(*pair) for pair in zip(wanted, draws, strict=True)]) == expected


def test_a_rejected_speculative_token_does_not_use_up_a_draw() -> None:
    scores = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(3))
    params, draws = GenerationParams(temperature=2.0, top_k=0, top_p=1.0), make_draws(5)
    expected = [choose(scores[:1].clone(), [Sampler(params, draws)])[0] for _ in range(2)]
    draws = make_draws(5)
    wrong = VOCABULARY - 1 - expected[0]
    assert sample_tokens(scores.clone(), [Sampler(params, draws, proposed=[wrong, wrong])]) == [expected[:1]]
    assert choose(scores[:1].clone(), [Sampler(params, draws)]) == expected[1:]
