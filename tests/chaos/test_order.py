"""Who goes first: priorities, small jobs beside huge ones, and jobs that were cancelled."""

from __future__ import annotations

from sqlalchemy import text

from models.job import Priority
from models.step import Step
from tests.chaos.scene import Scene, write_text

# Chunks of a job that would keep one worker busy for a long time.
HUGE = 1000
MAPS_BEFORE = """
    SELECT count(*) FROM steps WHERE kind = 'map' AND state = 'done' AND job_id = :huge
        AND finished_at < (SELECT finished_at FROM jobs WHERE id = :small)"""
FINISHED_MAPS = "SELECT count(*) FROM steps WHERE kind = 'map' AND state = 'done' AND job_id = :job"


def test_a_job_of_three_chunks_does_not_wait_for_a_job_of_a_thousand(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=2)
    [huge] = scene.submit([write_text("huge", HUGE)], strategy="map-reduce")
    scene.wait_for_running(2)
    scene.switch("hold", on=False)
    scene.wait_until(lambda: scene.count(FINISHED_MAPS, job=huge) >= 70, "the huge job has begun in earnest")
    scene.switch("hold")
    [small] = scene.submit([write_text("small", 3)], strategy="map-reduce")
    scene.switch("hold", on=False)
    scene.wait_until(lambda: scene.read_states([small]) == ["succeeded"], "the small job has ended")
    # By the clock of Postgres: the huge job goes on while this is asked.
    assert scene.count(MAPS_BEFORE, huge=huge, small=small) < HUGE / 2
    scene.cancel(huge)
    scene.wait_for_end()


def test_urgent_jobs_pass_normal_ones_and_those_pass_the_rest(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=1)
    scene.submit([write_text("first", 1)], strategy="stuff")
    scene.wait_for_running()
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        texts = [write_text(f"{priority.name}{number}", 1) for number in range(4)]
        scene.submit(texts, strategy="stuff", priority=priority)
    scene.switch("hold", on=False)
    scene.wait_for_end()
    with scene.engine.connect() as connection:
        ended = connection.scalars(text("SELECT priority FROM jobs ORDER BY finished_at")).all()
    assert ended[1:] == [Priority.HIGH] * 4 + [Priority.NORMAL] * 4 + [Priority.LOW] * 4


def test_a_cancelled_job_stops_its_running_steps_and_keeps_what_is_finished(scene: Scene) -> None:
    scene.add_worker(slots=2, seconds=(0.0, 0.0))
    [job] = scene.submit([write_text("alpha", 200)], strategy="map-reduce")
    scene.wait_until(lambda: scene.count(FINISHED_MAPS, job=job) >= 4, "some steps have ended")
    scene.switch("hold")
    scene.wait_for_held(2)
    finished = scene.count(FINISHED_MAPS, job=job)
    scene.cancel(job)
    scene.wait_until(lambda: scene.read_states([job]) == ["cancelled"], "the job has ended")
    scene.wait_for_end()
    assert scene.count(FINISHED_MAPS, job=job) == finished
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome = 'cancelled'") == 2
    states = {row.state for row in scene.read_steps(Step.state, kind="map")}
    assert states == {"done", "cancelled"}


def test_a_job_that_nobody_runs_is_cancelled_by_the_rescue(scene: Scene) -> None:
    [job] = scene.submit([write_text("alpha", 2)], is_sent=False)
    scene.cancel(job)
    scene.add_worker()
    scene.wait_for_end()
    assert scene.read_states([job]) == ["cancelled"]
