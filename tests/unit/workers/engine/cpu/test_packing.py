from __future__ import annotations

from threading import Barrier, get_ident

import pytest
import torch

from workers.engine.cpu.chunked_linear import map_in_threads


def test_as_many_items_as_torch_has_threads_are_packed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    together = Barrier(2, timeout=10)  # broken if one comes alone

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
