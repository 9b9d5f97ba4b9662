"""Memory that is in use moves into huge pages; in a process of its own, because all of its memory moves."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workers.engine.cpu import huge_pages
from workers.engine.cpu.huge_pages import has_huge_pages, schedule_move

SCRIPT = """
import ctypes, json, mmap, os, re, threading
from pathlib import Path
from workers.engine.cpu import huge_pages

def count_huge(start):
    blocks = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M)[1:]
    ends = [tuple(int(end, 16) for end in block.split(" ", 1)[0].split("-")) for block in blocks]
    block = next(block for (first, last), block in zip(ends, blocks) if first <= start < last)
    return int(re.search(r"AnonHugePages: +(\\d+) kB", block)[1]) * 1024

def find_address(pages):
    return ctypes.addressof(ctypes.c_char.from_buffer(pages))

def count_present(start):
    with open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(start // 4096 * 8)
        return sum(entry >> 63 for entry in memoryview(pagemap.read(size // 4096 * 8)).cast("Q"))

size = 32 * 2**20
full, sparse = (mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2))
content = bytes(range(256)) * (size // 256)
full[:] = content
for place in range(0, size, 4 * 4096):
    sparse[place] = 1
huge_pages.DELAY = 0.01
timer = huge_pages.schedule_move()
timer.join()
print(json.dumps({
    "full": count_huge(find_address(full)),
    "sparse": count_present(find_address(sparse)),
    "is_unchanged": full[:] == content,
    "priority": os.getpriority(os.PRIO_PROCESS, threading.get_native_id()),
}))
"""


def can_collapse() -> bool:
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    return has_huge_pages() and version is not None and (int(version[1]), int(version[2])) >= (6, 1)


@pytest.mark.skipif(not can_collapse(), reason="this system cannot move memory into huge pages")
def test_memory_in_use_is_moved_and_the_priority_of_other_threads_stays() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert '"is_unchanged": true' in done.stdout
    [full] = re.findall(r'"full": (\d+)', done.stdout)
    # All but its ends, which share a huge page with other memory.
    assert int(full) >= 28 * 2**20
    # A quarter of its pages, as before.
    assert '"sparse": 2048' in done.stdout
    assert f'"priority": {os.getpriority(os.PRIO_PROCESS, os.getpid())}' in done.stdout


@pytest.mark.parametrize("setting", ["always madvise [never]\n", None], ids=["switched off", "unknown to the system"])
def test_nothing_moves_where_the_system_has_none(
    setting: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "enabled"
    if setting is not None:
        path.write_text(setting)
    monkeypatch.setattr(huge_pages, "SETTING", path)

    assert not has_huge_pages()
    assert schedule_move() is None


def test_a_move_that_has_not_begun_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []
    monkeypatch.setattr(huge_pages, "has_huge_pages", lambda: True)
    monkeypatch.setattr(huge_pages, "_move_in_background", lambda: begun.append(True))
    timer = schedule_move()
    assert timer is not None

    timer.cancel()
    timer.join()

    assert begun == []
