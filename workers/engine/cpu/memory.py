"""Memory of a CPU's weights and KV cache: release of pages, zeros allocated on first write, free memory."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.overrides import TorchFunctionMode

from workers.engine.cpu.huge_pages import has_huge_pages
from workers.engine.cpu.mappings import list_mappings

# Advice that drops pages; the next access reads those of a mapped file from it again.
MADV_DONTNEED = 4


def release_pages(tensor: torch.Tensor) -> None:
    """Drop the pages of a tensor that is mapped from a file and unmodified; the next access reads them again."""
    if is_mapped(tensor):
        start, end = find_pages(tensor)
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)


def is_mapped(tensor: torch.Tensor) -> bool:
    """Return whether a tensor has whole pages and all are mapped from a file."""
    if sys.platform != "linux" or tensor.device.type != "cpu":
        return False
    start, end = find_pages(tensor)
    return start < end and is_mapped_from_file(start, end)


def find_pages(tensor: torch.Tensor) -> tuple[int, int]:
    """Return the start and end address of the whole pages of a tensor."""
    end = tensor.data_ptr() + tensor.nbytes
    return -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE


def trim_heap() -> None:
    """Return freed memory to the system, which glibc would keep; loading a vocabulary frees much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def is_mapped_from_file(start: int, end: int) -> bool:
    """Return whether one mapped file contains a range of addresses; dropping any other memory loses its content."""
    return any(each.is_file for each in list_mappings() if each.start <= start and end <= each.end)


class LazyZeros(TorchFunctionMode):
    """Context in which ``torch.zeros`` of one size on a CPU maps pages that take memory on their first write.

    Raises:
        MemoryError: the zeros exceed the free memory.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, or map the pages of flat zeros on a CPU instead."""
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
    # Linux overcommits: it would grant the mapping, and kill the process when it writes.
    if needed > free:
        raise MemoryError(f"cannot allocate memory of {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")
    pages = mmap.mmap(-1, needed, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if has_huge_pages():
        pages.madvise(mmap.MADV_HUGEPAGE)
    # The tensor owns the mapping.
    return torch.frombuffer(pages, dtype=dtype)


# Mount point of control groups (version 2), which limit a container's memory, and the file that names this process's.
GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def measure_free_memory(device: str) -> int:
    """Return the bytes that can be allocated on a device; on a CPU within the control group's limit."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    free = psutil.virtual_memory().available
    limited = measure_free_in_group()
    return free if limited is None else min(free, limited)


def measure_free_in_group(groups: Path = GROUPS, own: Path = OWN_GROUP) -> int | None:
    """Return the free bytes of this process's control group; None without a limit.

    Args:
        groups: mount point of the control groups (version 2).
        own: file that names this process's control group.
    """
    try:
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
        group = groups / name.strip().lstrip("/")
        limit, used = (int((group / f"memory.{file}").read_text()) for file in ("max", "current"))
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, StopIteration, ValueError):
        return None
    # The kernel reclaims the inactive part of the file cache on demand.
    return max(limit - used + int(statistics.get("inactive_file", 0)), 0)
