from __future__ import annotations

import pytest
import torch
from torch import nn

from workers.engine.cpu import chunked_linear
from workers.engine.cpu.chunked_linear import ChunkedLinear, build_linear
from workers.engine.cpu.half import Float16Linear


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_wide_layer_in_pieces_says_what_it_says_as_a_whole(monkeypatch: pytest.MonkeyPatch, has_bias: bool) -> None:
    monkeypatch.setattr(chunked_linear, "CHUNK_OUTPUTS", 40)
    linear, rows = nn.Linear(64, 100, bias=has_bias), torch.randn(2, 3, 64)
    built = build_linear(linear, Float16Linear)
    assert isinstance(built, ChunkedLinear)
    assert torch.allclose(built(rows), linear(rows), atol=1e-2)


def test_a_narrow_layer_stays_one() -> None:
    assert isinstance(build_linear(nn.Linear(64, 100), Float16Linear), Float16Linear)
