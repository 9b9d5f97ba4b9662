"""What happens when worker processes die, freeze, hang or are told to end."""

from __future__ import annotations

import signal
import time

from models.step import Step
from tests.chaos.scene import Scene, end_in_order, write_text


def test_steps_of_a_killed_worker_are_run_by_another(scene: Scene) -> None:
    scene.switch("hold")
    victim = scene.add_worker()
    [job] = scene.submit([write_text("alpha", 6)], strategy="map-reduce")
    scene.wait_for_running(4)
    victim.end()
    scene.switch("hold", on=False)
    scene.add_worker()
    scene.wait_for_end()
    assert scene.read_states([job]) == ["succeeded"]
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome = 'lost'") == 4
    assert scene.count("SELECT count(*) FROM steps WHERE crashes > 0") == 0


def test_workers_killed_at_random_points_lose_nothing(scene: Scene) -> None:
    for _ in range(2):
        scene.add_worker(seconds=(0.0, 0.05))
    scene.keep_workers()
    scene.submit([write_text(f"text{number}", 5) for number in range(24)], strategy="map-reduce")
    for number in range(8):
        time.sleep(0.4)
        scene.workers[number % 2].signal(signal.SIGKILL)
    scene.wait_for_end()
    scene.assert_all_succeeded(24)
    assert scene.count("SELECT count(*) FROM jobs WHERE verified > 0 AND quoted > 0") == 24


def test_the_next_steps_of_a_worker_killed_before_it_sent_their_messages_are_sent(scene: Scene) -> None:
    # Of the maps: the rescue of a worker that starts slowly may send the plan's message again, and would die of that.
    scene.switch("die_before_ring", kind="map")
    scene.add_worker()
    scene.keep_workers()
    [job] = scene.submit([write_text("alpha", 3)], strategy="map-reduce")
    scene.wait_for_end()
    assert scene.read_states([job]) == ["succeeded"]
    assert scene.workers[0].starts == 2
    assert min(scene.read_steps(Step.dispatches, kind="map")) >= (2,)


def test_a_worker_that_was_frozen_for_longer_than_its_lease_writes_nothing(scene: Scene) -> None:
    for node in ("w0", "w1"):
        scene.switch(f"hang-{node}")
    zombie = scene.add_worker(hang_seconds=600, lease_seconds=3)
    [job] = scene.submit([write_text("alpha", 1)], strategy="stuff")
    scene.wait_until((scene.folder / "hung-w0").exists, "its engine is at work")
    zombie.signal(signal.SIGSTOP)
    scene.add_worker(hang_seconds=600, lease_seconds=60)
    attempt = "SELECT attempt FROM steps WHERE kind = 'stuff'"
    scene.wait_until(lambda: scene.count(attempt) == 2, "another worker has taken the step")
    scene.switch("hang-w0", on=False)
    zombie.signal(signal.SIGCONT)
    scene.wait_until(lambda: scene.has_logged(0, "result_came_too_late"), "the zombie has finished its run")
    assert scene.read_steps(Step.state, kind="stuff") == [("running",)]
    scene.switch("hang-w1", on=False)
    scene.wait_for_end()
    assert scene.read_states([job]) == ["succeeded"]
    assert scene.read_steps(Step.worker, kind="stuff")[0].worker.startswith("w1@chaos")


def test_a_poisonous_document_fails_alone_and_what_ran_beside_it_succeeds(scene: Scene) -> None:
    scene.add_worker(max_crashes=2)
    scene.keep_workers()
    texts = [write_text("good", 2), write_text("bad", 3, poisoned=1), write_text("fine", 2)]
    jobs = scene.submit(texts, strategy="map-reduce")
    scene.wait_for_end()
    assert scene.read_states(jobs) == ["succeeded", "partial", "succeeded"]
    [failed] = scene.read_steps(Step.kind, Step.index, Step.crashes, Step.error, state="failed")
    assert (failed.kind, failed[1], failed.crashes) == ("map", 1, 2)
    assert failed.error["message"] == "its worker died 2 times while this step ran alone"


def test_a_process_whose_engine_hangs_ends_and_its_steps_run_elsewhere(scene: Scene) -> None:
    scene.switch("hang")
    hung = scene.add_worker()
    [job] = scene.submit([write_text("alpha", 2)], strategy="map-reduce")
    assert hung.wait() == 70
    scene.switch("hang", on=False)
    scene.add_worker()
    scene.wait_for_end()
    assert scene.read_states([job]) == ["succeeded"]


def test_a_worker_told_to_end_finishes_its_steps(scene: Scene) -> None:
    scene.switch("hold")
    worker = scene.add_worker()
    scene.submit([write_text("alpha", 4)], strategy="map-reduce")
    scene.wait_for_held(4)
    worker.signal(signal.SIGTERM)
    scene.wait_until(lambda: scene.has_logged(0, "draining"), "it ends")
    scene.switch("hold", on=False)
    assert worker.wait() == 0
    assert scene.read_steps(Step.state, Step.attempt, kind="map") == [("done", 1)] * 4
    scene.add_worker()
    scene.wait_for_end()


def test_steps_that_outlast_the_drain_are_given_back_without_a_charge(scene: Scene) -> None:
    scene.switch("hold")
    worker = scene.add_worker(drain_seconds=0.5)
    scene.submit([write_text("alpha", 4)], strategy="map-reduce")
    scene.wait_for_held(4)
    assert end_in_order(worker) == 0
    columns = (Step.state, Step.errors, Step.crashes, Step.is_solo)
    assert scene.read_steps(*columns, kind="map") == [("ready", 0, 0, False)] * 4
    scene.switch("hold", on=False)
    scene.add_worker()
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome = 'lost'") == 0


def test_a_rolling_restart_under_load_loses_no_lease(scene: Scene) -> None:
    for _ in range(2):
        scene.add_worker(seconds=(0.0, 0.1))
    scene.keep_workers()
    scene.submit([write_text(f"text{number}", 4) for number in range(20)], strategy="map-reduce")
    for worker in scene.workers:
        time.sleep(0.5)
        starts = worker.starts
        worker.signal(signal.SIGTERM)
        scene.wait_until(lambda w=worker, s=starts: w.starts > s, "it is started again")  # type: ignore[misc]
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome <> 'done'") == 0


def test_a_step_that_takes_too_long_is_tried_again_and_then_fails(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(step_deadline_seconds=0.3, max_errors=2)
    [job] = scene.submit([write_text("alpha", 1)], strategy="stuff")
    scene.wait_for_end()
    assert scene.read_states([job]) == ["failed"]
    [step] = scene.read_steps(Step.errors, Step.attempt, Step.error, kind="stuff")
    assert (step.errors, step.attempt) == (1, 2)
    assert step.error["message"] == "no result within 0 s"
