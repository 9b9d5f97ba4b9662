"""What happens to checks when workers die: they are made by others, once, and the summaries stay."""

from __future__ import annotations

from sqlalchemy.orm import Session

from models.checks import request_missing_check
from tests.chaos.scene import Scene, write_text


def test_the_check_of_a_killed_worker_is_made_by_another_and_stored_once(scene: Scene) -> None:
    victim = scene.add_worker()
    jobs = scene.submit([write_text("alpha", 1), write_text("beta", 1)], strategy="stuff")
    scene.wait_for_end()
    scene.switch("hold")
    step_messages = []
    for job in jobs:
        with Session(scene.engine) as session, session.begin():
            step_messages += request_missing_check(session, job)
    scene.publish(step_messages)
    scene.wait_for_running(2)
    victim.end()
    scene.switch("hold", on=False)
    assert scene.read_states(jobs) == ["succeeded", "succeeded"]
    scene.add_worker()
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM step_attempts WHERE outcome = 'lost'") == 2
    assert scene.count("SELECT count(*) FROM evaluations WHERE metric = 'consistency'") == 2


def test_workers_that_die_before_they_send_messages_lose_no_second_try(scene: Scene) -> None:
    scene.add_worker()
    scene.keep_workers()
    scene.submit(
        [write_text(f"text{number}", 3) for number in range(3)], strategy="map-reduce", gate=0.99, grounding="off"
    )
    for _ in range(4):
        scene.switch("die_before_ring")
        scene.wait_until(
            lambda: not (scene.folder / "die_before_ring").exists() or scene.is_over(), "a death or the end"
        )
    scene.switch("die_before_ring", on=False)
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM jobs WHERE review LIKE '%in a second try%'") == 3
    assert scene.count("SELECT count(*) FROM steps WHERE kind = 'map' AND state = 'done'") == 18
