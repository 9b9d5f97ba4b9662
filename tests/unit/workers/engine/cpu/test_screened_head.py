from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from workers.engine.cpu import screened_head as heads
from workers.engine.cpu.screened_head import ScreenedHead, can_screen_head

OUTPUTS = 40_000


@pytest.fixture
def linear() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(64, OUTPUTS, bias=False).requires_grad_(False)


@torch.inference_mode()
def test_the_wanted_scores_of_a_screened_head_are_exact_and_the_others_near(linear: torch.nn.Linear) -> None:
    rows = torch.randn(7, 64) * 20
    expected = linear(rows)
    screened = ScreenedHead(linear, rows)
    assert torch.allclose(screened(rows), expected, atol=1e-4)
    scores = screened.screen(rows, [1, 20, 1, 5, 20, 1, 1])
    best = expected.topk(20)
    assert torch.equal(scores.topk(20).indices, best.indices)
    assert torch.allclose(scores.topk(20).values, best.values, atol=1e-4)
    assert (scores - expected).std() < expected.std() / 40


@torch.inference_mode()
def test_the_logits_of_a_network_with_a_cap_are_capped_whether_exact_or_not(linear: torch.nn.Linear) -> None:
    rows = torch.randn(3, 64) * 20
    expected = torch.tanh(linear(rows) / 30) * 30
    scores = ScreenedHead(linear, rows, softcap=30.0).screen(rows, [20, 1, 0])
    assert float(scores.abs().max()) < 30
    assert torch.allclose(scores[0].topk(20).values, expected[0].topk(20).values, atol=1e-4)
    assert torch.allclose(scores[2], expected[2], atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("count", [0, 100, OUTPUTS])
def test_rows_that_need_more_logits_than_candidates_are_exact_throughout(linear: torch.nn.Linear, count: int) -> None:
    rows = torch.randn(3, 64)
    scores = ScreenedHead(linear, rows).screen(rows, [1, count, 1])
    assert torch.allclose(scores[1], linear(rows[1]), atol=1e-5)
    assert not torch.allclose(scores[0], linear(rows[0]), atol=1e-5)


@torch.inference_mode()
def test_a_row_whose_best_are_too_near_to_each_other_is_exact_throughout() -> None:
    linear = torch.nn.Linear(64, OUTPUTS, bias=False).requires_grad_(False)
    # Scores that eight bits cannot tell apart: every token is the best but for a hair.
    linear.weight.copy_(torch.ones(OUTPUTS, 64) + torch.rand(OUTPUTS, 64) * 1e-3)
    rows = torch.rand(2, 64)
    scores = ScreenedHead(linear, rows).screen(rows, [1, 1])
    assert torch.equal(scores.argmax(dim=-1), linear(rows).argmax(dim=-1))
    assert torch.allclose(scores, linear(rows), atol=1e-5)


@torch.inference_mode()
def test_the_wanted_scores_are_exact_when_others_have_been_lowered(linear: torch.nn.Linear) -> None:
    rows = torch.randn(4, 64) * 20
    expected = linear(rows)
    screened = ScreenedHead(linear, rows)
    seen = [expected[0].topk(30).indices.tolist(), [], expected[2].topk(500).indices.tolist(), list(range(OUTPUTS))]

    scores = screened.screen(rows, [20, 20, 20, 1], [(slice(row, row + 1), ids) for row, ids in enumerate(seen) if ids])

    for row, ids in enumerate(seen):
        for logits in (scores, expected):
            logits[row, ids] = logits[row, ids] - 1000
    best = expected.topk(20)
    assert torch.equal(scores.topk(20).indices[:3], best.indices[:3])
    assert torch.allclose(scores.topk(20).values[:3], best.values[:3], atol=1e-4)
    # Where too few candidates stay as they are, the row is exact throughout.
    assert [bool(torch.allclose(scores[row], expected[row], atol=1e-4)) for row in range(4)] == [
        False,
        False,
        True,
        True,
    ]


@torch.inference_mode()
def test_scores_do_not_depend_on_the_rows_of_the_pass_before(linear: torch.nn.Linear) -> None:
    rows = torch.randn(5, 64)
    screened = ScreenedHead(linear, rows)
    alone = screened.screen(rows[:2], [1, 1]).clone()
    screened.screen(rows, [1] * 5)
    assert torch.equal(screened.screen(rows[:2], [1, 1]), alone)


def test_a_small_head_is_not_screened(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    assert not can_screen_head(network)
    monkeypatch.setattr(heads, "SCREENED_OUTPUTS", 1)
    assert can_screen_head(network)
