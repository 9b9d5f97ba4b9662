from __future__ import annotations

import pytest
import torch
from torch import nn

from workers.engine.cpu import int8
from workers.engine.cpu.int8 import Int8Linear, has_exact_int8


@pytest.fixture(autouse=True, params=["oneDNN", "FBGEMM"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute by one library and by the other, on CPUs that have both."""
    if request.param == "oneDNN" and not has_exact_int8():
        pytest.skip("oneDNN's sums of int8 saturate on this CPU")
    monkeypatch.setattr(int8, "has_exact_int8", lambda: request.param == "oneDNN")


@pytest.fixture(scope="module")
def weight() -> torch.Tensor:
    return torch.randn(96, 64, generator=torch.Generator().manual_seed(0)) * 0.1


def test_the_product_is_close_to_that_of_floats(weight: torch.Tensor) -> None:
    rows = torch.randn(2, 5, 64)
    expected = nn.functional.linear(rows, weight)
    error = (Int8Linear(weight, None)(rows) - expected).norm() / expected.norm()
    assert error < 0.02


def test_a_row_is_the_same_whatever_its_batch_neighbours_are(weight: torch.Tensor) -> None:
    linear = Int8Linear(weight, None)
    row = torch.randn(1, 64)
    for neighbours in (1, 3, 15, 40):
        batch = torch.cat([row, torch.randn(neighbours, 64) * 100])
        assert torch.equal(linear(batch)[:1], linear(row))


def test_loud_channels_are_balanced_with_their_weights(weight: torch.Tensor) -> None:
    rows = torch.randn(200, 64)
    rows[:, :4] *= 100
    quiet = weight.clone()
    quiet[:, :4] /= 100
    expected = nn.functional.linear(rows, quiet)
    plain = Int8Linear(quiet, None)(rows) - expected
    balanced = Int8Linear(quiet, None, rows.abs().amax(0))(rows) - expected
    assert balanced.norm() < plain.norm() / 10


def test_a_row_of_zeros_stays_zero(weight: torch.Tensor) -> None:
    assert torch.equal(Int8Linear(weight, None)(torch.zeros(1, 64)), torch.zeros(1, 96))


def test_a_bias_is_added(weight: torch.Tensor) -> None:
    bias, rows = torch.randn(96), torch.randn(3, 64)
    with_bias, without = Int8Linear(weight, bias)(rows), Int8Linear(weight, None)(rows)
    assert torch.equal(with_bias, without + bias)
