"""Layout of a timeline: without idle time, overlapping calls on separate lanes, calls too short to see merged."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from producer.report.collect import Call

# Distinguishable bars across a timeline; shorter neighbours of one kind are merged.
RESOLUTION = 1200
# Time without a call that is shown: seconds at least, or this share of the time with calls.
MAX_IDLE_SECONDS = 10.0
MAX_IDLE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Lane:
    """Calls of one worker that never overlap."""

    worker: str
    calls: tuple[Call, ...]


def arrange_lanes(calls: Iterable[Call]) -> list[Lane]:
    """Return the lanes, grouped by worker, with the fewest lanes that keep calls from overlapping."""
    lanes: dict[str, list[list[Call]]] = defaultdict(list)
    free: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.start):
        of_worker, ends = lanes[call.worker], free[call.worker]
        if ends and ends[0][0] <= call.start:
            _, index = heapq.heappop(ends)
        else:
            index = len(of_worker)
            of_worker.append([])
        of_worker[index].append(call)
        heapq.heappush(ends, (call.end, index))
    span = max((call.end for all_lanes in lanes.values() for lane in all_lanes for call in lane), default=0)
    return [
        Lane(worker, tuple(_merge_short(lane, span / RESOLUTION))) for worker in sorted(lanes) for lane in lanes[worker]
    ]


def skip_idle(calls: Iterable[Call]) -> tuple[list[Call], float]:
    """Return calls without the long times in which none ran, such as before a late check, and the seconds left out."""
    ordered = sorted(calls, key=lambda call: call.start)
    busy, end = 0.0, 0.0
    for call in ordered:
        busy += max(0.0, call.end - max(end, call.start))
        end = max(end, call.end)
    longest = max(MAX_IDLE_SECONDS, busy * MAX_IDLE_SHARE)
    moved: list[Call] = []
    skipped, end = 0.0, 0.0
    for call in ordered:
        if moved and call.start - end > longest:
            skipped += call.start - end - longest
        moved.append(replace(call, start=call.start - skipped, end=call.end - skipped))
        end = max(end, call.end)
    return moved, skipped


def _merge_short(calls: Iterable[Call], shortest: float) -> list[Call]:
    """Merge neighbours of one kind whose gap and length are below ``shortest`` seconds."""
    merged: list[Call] = []
    for call in calls:
        last = merged[-1] if merged else None
        is_near = last is not None and last.kind == call.kind and call.start - last.end < shortest
        if last is not None and is_near and min(last.end - last.start, call.end - call.start) < shortest:
            merged[-1] = replace(last, end=call.end, tokens=last.tokens + call.tokens)
        else:
            merged.append(call)
    return merged
