from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from workers.engine.sampling import choose_tokens
from workers.generation import GenerationParams

GREEDY = GenerationParams(do_sample=False)
VOCABULARY = 500


def draw(scores: torch.Tensor, params: GenerationParams, times: int) -> torch.Tensor:
    """Return how often each token was drawn, as parts of all draws."""
    generator = torch.Generator().manual_seed(7)
    rows = [(params, generator, [0])] * times
    tokens = choose_tokens(scores.expand(times, -1).clone(), rows)
    return torch.bincount(tokens, minlength=VOCABULARY) / times


def test_greedy_takes_the_best_token() -> None:
    scores = torch.randn(3, VOCABULARY)
    assert choose_tokens(scores.clone(), [(GREEDY, None, [])] * 3).tolist() == scores.argmax(-1).tolist()


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
    assert choose_tokens(changed, [(params, None, seen)]).tolist() == expected.argmax(-1).tolist()
    assert torch.equal(changed, expected)


def test_a_row_is_chosen_by_its_own_parameters_alone() -> None:
    scores = torch.randn(4, VOCABULARY, generator=torch.Generator().manual_seed(2))
    hot = GenerationParams(temperature=5.0, top_k=0, top_p=1.0, repetition_penalty=3.0)
    alone = choose_tokens(scores[:1].clone(), [(GREEDY, None, [])])
    crowd = [(hot, None, list(range(50)))] * 3
    together = choose_tokens(scores.clone(), [(GREEDY, None, []), *crowd])
    assert together[0] == alone[0]


def test_a_seeded_row_draws_the_same_beside_any_neighbours() -> None:
    scores = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(3))
    params = GenerationParams(temperature=2.0, top_k=0, top_p=1.0)

    def draw_first(neighbours: int) -> int:
        rows = [(params, torch.Generator().manual_seed(5), [])] + [(params, None, [])] * neighbours
        return int(choose_tokens(scores[: neighbours + 1].clone(), rows)[0])

    assert draw_first(0) == draw_first(1) == draw_first(2)
