"""Lays several weights out side by side, because FBGEMM and oneDNN use one core for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Packed = TypeVar("Packed")

# More at a time would hold more weights twice.
MOST_AT_ONCE = 4

_thread = threading.local()


def pack_side_by_side(pack: Callable[[Item], Packed], items: Sequence[Item]) -> list[Packed]:
    """Return what is made of each item, in their order; as many are made at a time as torch has threads, or four."""
    at_once = min(torch.get_num_threads(), len(items), MOST_AT_ONCE)
    # The parts of an item that is packed beside others come one after the other.
    if at_once <= 1 or getattr(_thread, "is_packing", False):
        return [pack(item) for item in items]
    with ThreadPoolExecutor(at_once, initializer=setattr, initargs=(_thread, "is_packing", True)) as pool:
        return list(pool.map(pack, items))
