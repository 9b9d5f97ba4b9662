"""Layout of a timeline: puts overlapping calls on separate lanes, and merges calls too short to see."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.step import StepKind
from producer.report.collect import Call

# A check that begins later than this many seconds after the summaries is not drawn: it would squeeze them to a line.
PAUSE_SECONDS = 60.0
# Distinguishable bars across a timeline; shorter neighbours of one kind are merged.
RESOLUTION = 1200


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


def split_late_checks(calls: Sequence[Call]) -> tuple[list[Call], list[Call]]:
    """Return the calls that belong on one axis of time, and those of checks that began long after the summaries."""
    end = max((call.end for call in calls if call.kind != StepKind.EVALUATE), default=None)
    if end is None:
        return list(calls), []
    bound = end + max(PAUSE_SECONDS, end / 2)
    kept: list[Call] = []
    late: list[Call] = []
    for call in calls:
        (late if call.kind == StepKind.EVALUATE and call.start > bound else kept).append(call)
    return kept, late


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
