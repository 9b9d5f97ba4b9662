"""Giving memory back that holds what can be read from the weights' file again.

Weights are mapped from their file, so what has been read of them counts as the process's memory until it is unmapped.
While layers are converted or packed one after the other, that would be a second copy of everything.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path

import torch

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
