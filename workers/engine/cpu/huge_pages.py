"""Huge pages (2 MB) for the memory of a CPU engine: the CPU finds addresses in them faster than in pages of 4 KB.

A forward pass reads all weights, more than the CPU remembers the pages of, above all in a virtual machine. Most systems
give huge pages only to memory for which a program asks, and PyTorch and the libraries that pack weights do not.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import structlog

from workers.engine.cpu.mappings import list_mappings

log = structlog.get_logger()

# Seconds after which an engine's memory is moved: the verifier is loaded by then too.
DELAY = 10.0
PAGE, HUGE_PAGE = 4096, 2 * 2**20
PAGES = HUGE_PAGE // PAGE
# Part of a huge page that is in use, from which it is worth the rest.
MIN_USED = 0.9
# Advice to move a range of addresses into huge pages now (Linux 6.1).
MADV_COLLAPSE = 25
# Lowest priority of a thread: it takes only what computing leaves.
LOWEST = 19
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def schedule_move() -> threading.Timer | None:
    """Start a timer that moves this process's memory into huge pages, and return it; None where there are none."""
    if not has_huge_pages():
        return None
    timer = threading.Timer(DELAY, _move_in_background)
    timer.daemon = True
    timer.name = "huge-pages"
    timer.start()
    return timer


def _move_in_background() -> None:
    # Of this thread alone.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
    try:
        moved = move_to_huge_pages()
    except OSError as error:
        log.info("huge_pages_unavailable", error=str(error))
    else:
        log.info("huge_pages", megabytes=moved // 2**20)


def move_to_huge_pages() -> int:
    """Move memory of this process that is in use into huge pages, and return its bytes; 0 before Linux 6.1.

    Raises:
        OSError: the process may not read which of its pages are in use.
    """
    advise = ctypes.CDLL(None).madvise
    return HUGE_PAGE * sum(
        advise(ctypes.c_void_p(start), ctypes.c_size_t(HUGE_PAGE), MADV_COLLAPSE) == 0 for start in _list_blocks()
    )


def has_huge_pages() -> bool:
    """Return whether this system has huge pages of 2 MB, and its administrator lets programs ask for them."""
    if sys.platform != "linux" or os.sysconf("SC_PAGE_SIZE") != PAGE:
        return False
    try:
        return "[never]" not in SETTING.read_text()
    except OSError:
        return False


def _list_blocks() -> Iterator[int]:
    """Yield the addresses of the blocks of 2 MB of this process's own memory that are in use."""
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
        for mapping in list_mappings():
            start, end = -(-mapping.start // HUGE_PAGE) * HUGE_PAGE, mapping.end // HUGE_PAGE * HUGE_PAGE
            if mapping.rights != "rw-p" or mapping.is_file or start >= end:
                continue
            pagemap.seek(start // PAGE * 8)
            # The highest of the 64 bits of a page says that it is in memory.
            entries = np.frombuffer(pagemap.read((end - start) // PAGE * 8), dtype=np.int64)
            # Whole blocks, also of a mapping that has shrunk since.
            whole = len(entries) // PAGES * PAGES
            used = (entries[:whole] < 0).reshape(-1, PAGES).mean(axis=1)
            yield from (start + HUGE_PAGE * int(block) for block in np.flatnonzero(used >= MIN_USED))
