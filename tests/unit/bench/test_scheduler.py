"""The simulated cluster against cases that can be worked out by hand."""

from __future__ import annotations

import pytest

from tests.bench.scheduler import Costs, forecast

FREE = Costs(step=1.0, plan=0.0, overhead=0.0, database=0.0)


def test_one_slot_runs_one_step_after_the_other() -> None:
    run = forecast([3, 3], workers=1, slots=1, costs=FREE)
    assert run.seconds == pytest.approx(8.0)
    assert run.steps == 10
    assert run.busy == pytest.approx(1.0)


def test_the_reduce_step_waits_for_the_last_map_step() -> None:
    run = forecast([4], workers=1, slots=16, costs=FREE)
    assert run.seconds == pytest.approx(2.0)


def test_two_workers_take_half_the_time() -> None:
    jobs = [7] * 64
    one = forecast(jobs, workers=1, slots=4, costs=FREE)
    two = forecast(jobs, workers=2, slots=4, costs=FREE)
    assert two.seconds == pytest.approx(one.seconds / 2, rel=0.05)


def test_a_database_that_is_full_sets_the_pace() -> None:
    costs = Costs(step=0.001, plan=0.0, overhead=0.0, database=0.01)
    run = forecast([8] * 50, workers=8, slots=8, costs=costs)
    assert run.steps_per_second == pytest.approx(100, rel=0.02)
    assert run.database_busy == pytest.approx(1.0, rel=0.02)


def test_a_worker_whose_process_is_full_sets_its_pace() -> None:
    costs = Costs(step=0.001, plan=0.0, overhead=0.005, database=0.0)
    run = forecast([8] * 50, workers=2, slots=8, costs=costs)
    assert run.steps_per_second == pytest.approx(400, rel=0.05)
