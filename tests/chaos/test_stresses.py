"""The five chaos and four pressure cells of the public comparison of job queues: nothing is lost or doubled by any."""

from __future__ import annotations

import psycopg
import pytest

from tests.chaos.scene import Scene, write_text
from tests.chaos.steady_load import find_recovery, run_cell
from tests.chaos.stresses import CELLS, Cell
from tests.processes import PATIENCE

# The others take ten seconds each, and most of them have a test of their own beside this one.
QUICK_CELLS = ("pg_backend_kill",)
RATE, SECONDS = 6, 1.0


@pytest.mark.parametrize(
    "cell",
    [pytest.param(cell, marks=() if cell.name in QUICK_CELLS else pytest.mark.slow, id=cell.name) for cell in CELLS],
)
def test_every_job_of_a_stressed_cluster_has_one_result(scene: Scene, cell: Cell) -> None:
    for _ in range(2):
        scene.add_worker(seconds=(0.0, 0.02))
    scene.keep_workers()
    result = run_cell(scene, cell, rate=RATE, seconds=SECONDS, patience=PATIENCE)
    scene.wait_for_end()
    assert result.findings.details == {}
    assert result.succeeded == result.accepted == scene.count("SELECT count(*) FROM jobs") > 0


def test_a_stranger_who_locks_the_rows_of_all_jobs_only_delays_them(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(lease_seconds=3)
    jobs = scene.submit([write_text(f"text{number}", 2) for number in range(2)], strategy="map-reduce")
    scene.wait_for_held(4)
    with psycopg.connect(scene.arena.home.postgres.url) as stranger:
        stranger.execute("SELECT id FROM jobs FOR UPDATE")
        scene.switch("hold", on=False)
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        scene.wait_until(lambda: scene.count(blocked) >= 2, "the ends of steps wait for the stranger")
        renewed = scene.count("SELECT max(extract(epoch FROM lease_until)) FROM steps WHERE state = 'running'")
        later = "SELECT max(extract(epoch FROM lease_until)) FROM steps WHERE state = 'running'"
        scene.wait_until(lambda: scene.count(later) > renewed, "their leases are renewed meanwhile")
    scene.wait_for_end()
    assert scene.read_states(jobs) == ["succeeded", "succeeded"]
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome <> 'done'") == 0


def test_a_rate_has_recovered_with_the_first_window_that_reaches_it() -> None:
    assert find_recovery([0, 0, 9, 10, 10], before=10) == 2
    assert find_recovery([10, 8, 4], before=10) == 0
    assert find_recovery([3, 3, 3], before=10) is None
