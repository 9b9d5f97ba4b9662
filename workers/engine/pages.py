"""Giving memory back that holds what can be read from the weights' file again.

Weights are mapped from their file, so what has been read of them counts as the process's memory until the system needs
it. While layers are repacked one after the other, that would be a second copy of everything.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

import torch

# Asks Linux to write out what is changed and drop the rest; nothing is lost, whatever the memory is.
MADV_PAGEOUT = 21


def release_pages(tensor: torch.Tensor) -> None:
    """Let the system take the memory of a tensor that is not needed for now; it stays readable."""
    if sys.platform != "linux" or tensor.device.type != "cpu":
        return
    start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = tensor.data_ptr() + tensor.nbytes - start
    if length >= mmap.PAGESIZE:
        libc = ctypes.CDLL(None)
        # Advice only: an old kernel that does not know it keeps the memory.
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length // mmap.PAGESIZE * mmap.PAGESIZE), MADV_PAGEOUT)
