from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from producer.report.collect import Call
from producer.report.lanes import RESOLUTION, arrange_lanes


def call(start: float, end: float, *, worker: str = "gpu0", kind: str = "map", tokens: int = 1) -> Call:
    return Call(worker, kind, start, end, tokens)


def test_calls_one_after_the_other_share_a_lane() -> None:
    assert len(arrange_lanes([call(0, 10), call(10, 20), call(25, 30)])) == 1


def test_calls_side_by_side_get_a_lane_each() -> None:
    lanes = arrange_lanes([call(0, 10), call(5, 15), call(12, 20)])

    assert [[each.start for each in lane.calls] for lane in lanes] == [[0, 12], [5]]


def test_lanes_of_one_worker_lie_together() -> None:
    calls = [call(0, 10, worker=worker) for worker in ("gpu1", "gpu0", "gpu1", "gpu0")]

    assert [lane.worker for lane in arrange_lanes(calls)] == ["gpu0", "gpu0", "gpu1", "gpu1"]


def test_nothing_needs_no_lane() -> None:
    assert arrange_lanes([]) == []


def test_a_timeline_of_very_many_calls_has_no_more_bars_than_the_eye_tells_apart() -> None:
    calls = [call(start / 100, (start + 1) / 100) for start in range(50_000)]

    [lane] = arrange_lanes(calls)

    assert len(lane.calls) <= 2 * RESOLUTION
    assert sum(each.tokens for each in lane.calls) == 50_000


@given(st.integers(0, 1000))
def test_calls_on_a_lane_never_overlap_and_none_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    calls = [call(start := chance.uniform(0, 100), start + chance.uniform(0.5, 20)) for _ in range(40)]

    lanes = arrange_lanes(calls)

    assert sum(each.tokens for lane in lanes for each in lane.calls) == 40
    for lane in lanes:
        assert all(one.end <= next_one.start for one, next_one in zip(lane.calls, lane.calls[1:], strict=False))
