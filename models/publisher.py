"""Publishing step messages: a Celery app that sends, many messages in one round trip, after the rows are committed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Protocol

from celery import Celery
from kombu import Producer
from kombu.exceptions import BatchPublishError, OperationalError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.outbox import mark_undispatched
from models.queues import PRIORITY_STEPS, StepMessage, task_name

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


class Publisher(Protocol):
    """Sends wake-ups; the caller has committed the rows already."""

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
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


class CeleryPublisher:
    """Rings over a Celery app's broker, many messages in one round trip."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Send every message it can; of a block that fails none counts as sent, and one sent twice harms nobody."""
        sent = 0
        try:
            with self._app.producer_or_acquire() as producer:
                while sent < len(step_messages):
                    block = step_messages[sent : sent + BLOCK_MESSAGES]
                    self._send(producer, block)
                    sent += len(block)
        except (OperationalError, BatchPublishError):
            return sent
        return sent

    def _send(self, producer: Producer, step_messages: Sequence[StepMessage]) -> None:
        # One message alone says at once whether it has arrived.
        with producer.batch(max_size=BLOCK_MESSAGES) if len(step_messages) > 1 else nullcontext():
            for step_message in step_messages:
                self._app.send_task(
                    task_name(step_message.kind),
                    args=(str(step_message.step_id),),
                    queue=step_message.queue,
                    priority=step_message.priority,
                    producer=producer,
                    retry=False,
                )


class OutboxPublisher:
    """Publishes the messages of committed steps, and marks the steps whose message did not go out: the rescue sends it.

    Args:
        database: where the steps are.
        publisher: sends.
        keeps_trying: False for a command, which ends soon: once the broker was away, each try would only cost seconds.
    """

    def __init__(self, database: Engine, publisher: Publisher, *, keeps_trying: bool = False) -> None:
        self._database = database
        self._publisher = publisher
        self._keeps_trying = keeps_trying
        self._has_given_up = False
        self.unsent = 0

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Send every message it can and return how many did not go out; the caller has committed their steps."""
        sent = 0 if self._has_given_up or not step_messages else self._publisher.publish(step_messages)
        unsent = step_messages[sent:]
        if unsent:
            self._has_given_up = not self._keeps_trying
            self.unsent += len(unsent)
            with Session(self._database) as session, session.begin():
                mark_undispatched(session, [step_message.step_id for step_message in unsent])
        return len(unsent)
