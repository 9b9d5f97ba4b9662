"""Zeros that take no memory until they are written to.

``torch.zeros`` writes all of a tensor, which for the KV cache of a CPU is a gigabyte and most of a second, while few
requests ever fill it. The system's own fresh pages are zeros too, and are there when they are first touched.
"""

from __future__ import annotations

import mmap
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from workers.engine.device import measure_free_memory


class UntouchedZeros(TorchFunctionMode):
    """While it is entered, flat zeros on a CPU that ``torch.zeros`` is asked for come from fresh pages.

    Raises:
        MemoryError: there is no room for them now.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what was asked for, zeros differently."""
        kwargs = kwargs or {}
        is_flat = func is torch.zeros and len(args) == 1 and isinstance(args[0], int) and args[0] > 0
        if (
            is_flat
            and kwargs.keys() <= {"dtype", "device"}
            and torch.device(kwargs.get("device") or "cpu").type == "cpu"
        ):
            return _map_zeros(args[0], kwargs.get("dtype") or torch.get_default_dtype())
        return func(*args, **kwargs)


def _map_zeros(count: int, dtype: torch.dtype) -> torch.Tensor:
    needed, free = count * dtype.itemsize, measure_free_memory("cpu")
    # The system itself would let them be asked for, and end the process when it writes to them.
    if needed > free:
        raise MemoryError(f"cannot allocate memory of {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")
    pages = mmap.mmap(-1, needed, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # The tensor holds the mapping, which ends with it.
    return torch.frombuffer(pages, dtype=dtype)
