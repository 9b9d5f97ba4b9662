"""Processor time of processes: unlike a rate, it depends little on what else the machine does meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Processor seconds, user and system together.

    Args:
        workers: of worker processes.
        servers: of Postgres and the broker.
    """

    workers: float
    servers: float

    def per_unit(self, since: ProcessorTime, units: float) -> ProcessorMilliseconds:
        """Return the milliseconds that each of so many steps or tasks took since an earlier reading."""
        return ProcessorMilliseconds(
            (self.workers - since.workers) * 1000 / units, (self.servers - since.servers) * 1000 / units
        )


@dataclass(frozen=True, slots=True)
class ProcessorMilliseconds:
    """Processor milliseconds of one step or task."""

    worker: float
    servers: float

    @property
    def total(self) -> float:
        """Of all processes together."""
        return self.worker + self.servers


def read_processor_time(*, workers: Iterable[int], servers: Iterable[int]) -> ProcessorTime:
    """Return the processor time so far of processes, their children included."""
    return ProcessorTime(sum(map(_read_seconds, workers)), sum(map(_read_seconds, servers)))


def _read_seconds(pid: int) -> float:
    seconds = 0.0
    process = psutil.Process(pid)
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            # With the time of children that have ended.
            seconds += sum(member.cpu_times()[:4])
    return seconds
