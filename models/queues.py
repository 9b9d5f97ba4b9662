"""Names on the wire, and the doorbell that rings them.

A message carries a step's id and nothing else: it only wakes a worker up, the row is the truth. Losing one costs time,
a duplicate costs one empty claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from celery import Celery
from kombu import Producer
from kombu.exceptions import BatchPublishError, OperationalError

from models.job import Priority
from models.step import StepKind

# Served in this order: what ends a job first, so that jobs that have begun finish before new ones begin. Planning comes
# last of the summarizing queues because a new job must not delay a begun one; an idle slot still plans at once.
QUEUES = ("reduce", "map", "plan", "evaluate")
QUEUE_OF_KIND = {
    StepKind.PLAN: "plan",
    StepKind.MAP: "map",
    StepKind.STUFF: "reduce",
    StepKind.COLLAPSE: "reduce",
    StepKind.REDUCE: "reduce",
    StepKind.REFINE: "reduce",
    StepKind.EVALUATE: "evaluate",
}
TASK_PREFIX = "gistmill."
# One list per queue and level on the broker: three levels for each of the three priorities of a job.
PRIORITY_STEPS = list(range(max(Priority) + 3))
# A map step's place among its siblings decides its level: the first chunks of a late small job pass the far chunks of
# an early huge one.
LEVEL_ENDS = (8, 64)
# Messages of one round trip: enough to hide it, few enough to lose when the broker goes away in the middle.
BLOCK_MESSAGES = 200

BROKER_OPTIONS: dict[str, Any] = {
    "visibility_timeout": 3600,  # seconds; not used for redelivery, messages are acknowledged early
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "unacked_restore_throttle": 1,
    "queue_order_strategy": "priority",
    "priority_steps": PRIORITY_STEPS,
}


def queue_name(queue: str, weights: str) -> str:
    """Return the broker's name of a queue: one set of queues per served weights."""
    return f"{queue}.{weights}"


def task_name(kind: str) -> str:
    """Return the stable wire name of a step kind's task."""
    return f"{TASK_PREFIX}{kind}"


def message_priority(kind: str, index: int, job_priority: int) -> int:
    """Return the broker level of a step: its job's priority, lowered for the far chunks of a large job."""
    if kind != StepKind.MAP:
        return job_priority
    return job_priority + sum(index >= end for end in LEVEL_ENDS)


@dataclass(frozen=True, slots=True)
class Wakeup:
    """One message to send: wake a worker for this step."""

    step_id: UUID
    kind: str
    queue: str
    priority: int


class Doorbell(Protocol):
    """Sends wake-ups; the caller has committed the rows already."""

    def ring(self, wakeups: Sequence[Wakeup]) -> int:
        """Send every message it can and return how many went out; never raises for a broker that is away."""
        ...


def make_celery(broker_url: str) -> Celery:
    """Return the Celery app that producers send with and that the worker extends."""
    app = Celery("gistmill", broker=broker_url)
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=BROKER_OPTIONS,
        result_backend=None,
        task_default_queue="unrouted",
        task_ignore_result=True,
        task_publish_retry=False,  # the rescue retries
        task_serializer="json",
    )
    return app


class CeleryDoorbell:
    """Rings over a Celery app's broker, many messages in one round trip."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self, wakeups: Sequence[Wakeup]) -> int:
        """Send every message it can; of a block that fails none counts as sent, and one sent twice harms nobody."""
        sent = 0
        try:
            with self._app.producer_or_acquire() as producer:
                while sent < len(wakeups):
                    block = wakeups[sent : sent + BLOCK_MESSAGES]
                    self._send(producer, block)
                    sent += len(block)
        except (OperationalError, BatchPublishError):
            return sent
        return sent

    def _send(self, producer: Producer, wakeups: Sequence[Wakeup]) -> None:
        # One message alone says at once whether it has arrived.
        with producer.batch(max_size=BLOCK_MESSAGES) if len(wakeups) > 1 else nullcontext():
            for wakeup in wakeups:
                self._app.send_task(
                    task_name(wakeup.kind),
                    args=(str(wakeup.step_id),),
                    queue=wakeup.queue,
                    priority=wakeup.priority,
                    producer=producer,
                    retry=False,
                )
