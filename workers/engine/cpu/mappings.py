"""Mappings of this process's memory, as Linux lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mapping:
    """Range of addresses with one purpose.

    Args:
        start: first address.
        end: address behind the last.
        rights: such as ``rw-p``: read, write, execute, private.
        is_file: whether it shows a file.
    """

    start: int
    end: int
    rights: str
    is_file: bool


def list_mappings() -> Iterator[Mapping]:
    """Yield the mappings of this process, by address."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, rights, _offset, _device, inode = line.split()[:5]
        start, end = (int(address, 16) for address in addresses.split("-"))
        yield Mapping(start, end, rights, inode != "0")
