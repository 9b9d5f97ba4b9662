"""Wide layers in pieces, and the packing of pieces side by side."""

from __future__ import annotations

from threading import Barrier, get_ident

import pytest
import torch
from torch import nn

from tests.processes import PATIENCE
from workers.engine.cpu import chunked_linear
from workers.engine.cpu.chunked_linear import ChunkedLinear, build_linear, map_in_threads
from workers.engine.cpu.half import Float16Linear


def test_as_many_items_as_torch_has_threads_are_packed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    together = Barrier(2, timeout=PATIENCE)  # broken if one comes alone

    def pack(item: int) -> int:
        together.wait()
        return -item

    assert map_in_threads(pack, range(6)) == [0, -1, -2, -3, -4, -5]


def test_what_goes_wrong_with_an_item_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda item: 1 // item, [1, 0, 1])


def test_what_is_packed_beside_others_packs_its_parts_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def pack(item: int) -> set[int]:
        return set(map_in_threads(lambda _: get_ident(), range(8)))

    assert [len(threads) for threads in map_in_threads(pack, range(4))] == [1, 1, 1, 1]


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_wide_layer_in_pieces_says_what_it_says_as_a_whole(monkeypatch: pytest.MonkeyPatch, has_bias: bool) -> None:
    monkeypatch.setattr(chunked_linear, "CHUNK_OUTPUTS", 40)
    linear, rows = nn.Linear(64, 100, bias=has_bias), torch.randn(2, 3, 64)
    built = build_linear(linear, Float16Linear)
    assert isinstance(built, ChunkedLinear)
    assert torch.allclose(built(rows), linear(rows), atol=1e-2)


def test_a_narrow_layer_stays_one() -> None:
    assert isinstance(build_linear(nn.Linear(64, 100), Float16Linear), Float16Linear)
