"""Zeros that take no memory until they are written to.

``torch.zeros`` writes all of a tensor, which for the KV cache of a CPU is a gigabyte and most of a second, while few
requests ever fill it. The system's own fresh pages are zeros too, and are there when they are first touched.
"""

from __future__ import annotations

import mmap
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class UntouchedZeros(TorchFunctionMode):
    """While it is entered, flat zeros on a CPU that ``torch.zeros`` is asked for come from fresh pages.

    Raises:
        MemoryError: the system has no room for them.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what was asked for, zeros differently."""
        kwargs = kwargs or {}
        is_flat = func is torch.zeros and len(args) == 1 and isinstance(args[0], int) and args[0] > 0
        if is_flat and torch.device(kwargs.get("device") or "cpu").type == "cpu":
            return _map_zeros(args[0], kwargs.get("dtype") or torch.get_default_dtype())
        return func(*args, **kwargs)


def _map_zeros(count: int, dtype: torch.dtype) -> torch.Tensor:
    try:
        pages = mmap.mmap(-1, count * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"cannot allocate memory of {count * dtype.itemsize} bytes ({error})") from error
    # The tensor holds the mapping, which ends with it.
    return torch.frombuffer(pages, dtype=dtype)
