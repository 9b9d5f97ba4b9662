"""Linear layers in oneDNN's layout."""

from __future__ import annotations

import pytest
import torch

from workers.engine.cpu.onednn import OneDnnLinear, has_onednn, round_up_rows


@pytest.mark.parametrize("rows", [1, 3, 16, 300])
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_packed_layer_gives_what_the_layer_gives(rows: int, has_bias: bool) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(96, 200, bias=has_bias)
    packed = OneDnnLinear(linear.weight.detach(), linear.bias)
    inputs = torch.randn(2, rows, 96)
    with torch.inference_mode():
        torch.testing.assert_close(packed(inputs), linear(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not has_onednn(torch.bfloat16), reason="this CPU has no instructions for bfloat16")
def test_a_layer_packed_in_bfloat16_takes_and_gives_float32() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(96, 200)
    packed = OneDnnLinear(linear.weight.detach().bfloat16(), linear.bias)
    inputs = torch.randn(5, 96)
    with torch.inference_mode():
        outputs, exact = packed(inputs), linear(inputs)
    assert outputs.dtype is torch.float32
    assert torch.dist(outputs, exact) / exact.norm() < 0.01


def test_packing_does_not_need_the_original_afterwards() -> None:
    weight = torch.randn(64, 32)
    packed = OneDnnLinear(weight, None)
    rows = torch.randn(4, 32)
    with torch.inference_mode():
        before = packed(rows)
        weight.zero_()
        assert torch.equal(packed(rows), before)


def test_numbers_of_rows_are_rounded_up_to_few() -> None:
    rounded = [round_up_rows(rows) for rows in range(1, 1025)]
    assert rounded == sorted(rounded)
    assert all(rows <= up <= rows * 9 / 8 for rows, up in enumerate(rounded, start=1))
    assert [round_up_rows(up) for up in rounded] == rounded
    assert len(set(rounded)) == 64
