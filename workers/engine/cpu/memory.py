"""Memory of a CPU's weights and KV cache: pages given back, zeros that take none before they are written."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.overrides import TorchFunctionMode

# Asks Linux to forget pages; those of a mapped file are read from it again when they are needed.
MADV_DONTNEED = 4


def release_pages(tensor: torch.Tensor) -> None:
    """Let go of the memory of a tensor that is mapped from a file and was never written to; it stays readable."""
    if is_mapped(tensor):
        start, end = find_pages(tensor)
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)


def is_mapped(tensor: torch.Tensor) -> bool:
    """Return whether a tensor's whole pages, if it has any, can be read from a file again."""
    if sys.platform != "linux" or tensor.device.type != "cpu":
        return False
    start, end = find_pages(tensor)
    return start < end and is_mapped_from_file(start, end)


def find_pages(tensor: torch.Tensor) -> tuple[int, int]:
    """Return the addresses between which a tensor fills whole pages."""
    end = tensor.data_ptr() + tensor.nbytes
    return -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE


def trim_heap() -> None:
    """Give freed memory back to the system; glibc keeps it otherwise, and reading a vocabulary frees much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def is_mapped_from_file(start: int, end: int) -> bool:
    """Return whether all addresses of a range belong to one mapped file; memory that does not would be lost."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, _rights, _offset, _device, inode = line.split()[:5]
        first, last = (int(address, 16) for address in addresses.split("-"))
        if first <= start and end <= last:
            return inode != "0"
    return False


class LazyZeros(TorchFunctionMode):
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


# Where Linux shows the control groups of version 2, whose limits of memory containers have, and our own one.
GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def measure_free_memory(device: str) -> int:
    """Return the bytes that can still be allocated on a device; on a CPU also by the limit of a container."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    free = psutil.virtual_memory().available
    limited = measure_free_in_group()
    return free if limited is None else min(free, limited)


def measure_free_in_group(groups: Path = GROUPS, own: Path = OWN_GROUP) -> int | None:
    """Return the bytes that this process's control group leaves it; None without a limit.

    Args:
        groups: where the kernel shows all groups (version 2).
        own: where it says which one this process is in.
    """
    try:
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
        group = groups / name.strip().lstrip("/")
        most, used = (int((group / f"memory.{what}").read_text()) for what in ("max", "current"))
        counted = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, StopIteration, ValueError):
        return None
    # What was read of files is given back when it is needed.
    return max(most - used + int(counted.get("inactive_file", 0)), 0)
