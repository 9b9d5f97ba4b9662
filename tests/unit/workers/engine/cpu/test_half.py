from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from workers.engine.cpu.half import Float16Linear


def test_the_product_is_that_of_floats_to_half_precision() -> None:
    weight, bias, rows = torch.randn(96, 64), torch.randn(96), torch.randn(2, 5, 64)
    expected = nn.functional.linear(rows, weight, bias)
    assert torch.allclose(Float16Linear(weight, bias)(rows), expected, rtol=1e-3, atol=2e-2)


def test_a_row_is_that_of_floats_whatever_its_batch_neighbours_are() -> None:
    linear, row = Float16Linear(torch.randn(96, 64), None), torch.randn(1, 64)
    for neighbours in (1, 3, 15, 40):
        together = linear(torch.cat([row, torch.randn(neighbours, 64)]))[:1]
        assert torch.allclose(together, linear(row), rtol=1e-4, atol=1e-4)


def test_threads_that_pack_side_by_side_leave_torchs_engine_as_it_was() -> None:
    before, rows = torch.backends.quantized.engine, torch.randn(2, 64)
    weights = [torch.randn(96, 64) for _ in range(64)]
    with ThreadPoolExecutor(8) as pool:
        layers = list(pool.map(lambda weight: Float16Linear(weight, None), weights))
    assert torch.backends.quantized.engine == before
    for layer, weight in zip(layers, weights, strict=True):
        assert torch.allclose(layer(rows), rows @ weight.T, rtol=1e-3, atol=2e-2)
