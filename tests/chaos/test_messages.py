"""What happens with messages that come twice, too late, for nobody, or that are no messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import redis

from models.publisher import make_celery
from models.queues import StepMessage
from models.step import Step
from tests.chaos.scene import Scene, write_text

PLAN_QUEUE = "plan.default"


def send(scene: Scene, name: str, *args: object, **kwargs: object) -> None:
    app = make_celery(scene.arena.broker_url)
    app.send_task(name, args=args, kwargs=kwargs, queue=PLAN_QUEUE, priority=0)
    app.close()


def push(scene: Scene, body: bytes) -> None:
    with redis.Redis.from_url(scene.arena.broker_url) as broker:
        broker.lpush(PLAN_QUEUE, body)


GARBAGE: dict[str, Callable[[Scene], None]] = {
    "no-json": lambda scene: push(scene, b"\xff\x00 this is not a message"),
    "json-but-no-message": lambda scene: push(scene, b'{"answer": 42}'),
    "json-but-no-object": lambda scene: push(scene, b"[1, 2, 3]"),
    "body-that-is-no-json": lambda scene: push(scene, broken_body()),
    "pickle": lambda scene: push(scene, broken_body(content_type="application/x-python-serialize")),
    "unknown-task": lambda scene: send(scene, "gistmill.conquer", str(uuid4())),
    "id-that-is-none": lambda scene: send(scene, "gistmill.map", "not-an-id"),
    "no-arguments": lambda scene: send(scene, "gistmill.map"),
    "too-many-arguments": lambda scene: send(scene, "gistmill.map", "a", "b", c="d"),
    "number-for-an-id": lambda scene: send(scene, "gistmill.map", 7),
    "unknown-id": lambda scene: send(scene, "gistmill.map", str(uuid4())),
}


def broken_body(content_type: str = "application/json") -> bytes:
    message = {
        "body": "bm90IGpzb24=",
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": {"task": "gistmill.map", "id": str(uuid4()), "lang": "py", "root_id": None, "parent_id": None},
        "properties": {
            "correlation_id": str(uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": PLAN_QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return json.dumps(message).encode()


def test_garbage_on_the_queues_changes_nothing_and_stops_no_worker(scene: Scene) -> None:
    worker = scene.add_worker()
    for pollute in GARBAGE.values():
        pollute(scene)
    scene.submit([write_text("alpha", 2)], strategy="map-reduce")
    scene.wait_for_end()
    assert worker.is_alive()
    assert scene.read_steps(Step.attempt) == [(1,)] * 4


def test_a_message_for_every_step_delivered_ten_times_runs_every_step_once(scene: Scene) -> None:
    scene.switch("hold")
    scene.add_worker(slots=8)
    scene.submit([write_text(f"text{number}", 3) for number in range(3)], strategy="map-reduce")
    scene.wait_for_running(8)
    step_messages = [StepMessage(*row) for row in scene.read_steps(Step.id, Step.kind, Step.queue, Step.priority)]
    scene.publish(step_messages * 10)
    scene.switch("hold", on=False)
    scene.wait_until(lambda: scene.count_messages() == 0, "every message has been taken")
    scene.wait_for_end()
    assert scene.read_steps(Step.attempt) == [(1,)] * 15


def test_messages_of_a_cancelled_job_change_nothing(scene: Scene) -> None:
    worker = scene.add_worker()
    [job] = scene.submit([write_text("alpha", 3)], strategy="map-reduce", is_sent=False)
    scene.cancel(job)
    step_messages = [StepMessage(*row) for row in scene.read_steps(Step.id, Step.kind, Step.queue, Step.priority)]
    scene.publish(step_messages * 3)
    scene.wait_for_end()
    assert scene.read_states([job]) == ["cancelled"]
    assert scene.read_steps(Step.state, Step.attempt) == [("cancelled", 0)]
    assert worker.is_alive()
