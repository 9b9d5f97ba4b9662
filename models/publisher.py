"""Publishing of step messages over Celery, after the commit of their rows, with many messages per round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol
from uuid import UUID

from celery import Celery
from kombu import Producer
from kombu.exceptions import BatchPublishError, OperationalError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.outbox import mark_undispatched
from models.queues import PRIORITY_STEPS, StepMessage, task_name

# Messages per round trip: enough to hide its latency; an outage makes one block uncertain.
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
    """Publisher of step messages whose rows are committed."""

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Publish messages in order until the broker fails, and return the number published."""
        ...


def make_celery(broker_url: str) -> Celery:
    """Return the Celery app for publishing, which the worker extends."""
    # Not the current app: a program that submits may have an app of its own.
    app = Celery("gistmill", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=BROKER_OPTIONS,
        result_backend=None,
        task_default_queue="unrouted",
        task_ignore_result=True,
        task_publish_retry=False,  # reclaiming retries
        task_serializer="json",
    )
    return app


class CeleryPublisher:
    """Publisher over the broker of a Celery app.

    Args:
        app: the app.
        producer: sends the messages; by default one of the pool that all apps of this process share.
    """

    def __init__(self, app: Celery, producer: Producer | None = None) -> None:
        self._app = app
        self._producer = producer

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Publish block by block; a failed block counts as unsent, and is sent again: duplicates are harmless."""
        sent = 0
        try:
            with self._app.producer_or_acquire(self._producer) as producer:
                while sent < len(step_messages):
                    block = step_messages[sent : sent + BLOCK_MESSAGES]
                    self._send(producer, block)
                    sent += len(block)
        except (OperationalError, BatchPublishError):
            return sent
        return sent

    def _send(self, producer: Producer, step_messages: Sequence[StepMessage]) -> None:
        # A single message needs no batch, and its error is raised at once.
        with producer.batch(max_size=BLOCK_MESSAGES) if len(step_messages) > 1 else nullcontext():
            for step_message in step_messages:
                self._app.send_task(
                    task_name(step_message.kind),
                    args=(str(step_message.step_id),),
                    argsrepr=step_message.label,
                    queue=step_message.queue,
                    priority=step_message.priority,
                    producer=producer,
                    retry=False,
                )


@contextmanager
def open_publisher(broker_url: str) -> Iterator[CeleryPublisher]:
    """Open a publisher for a block, with a connection of its own, so that nothing stays open after it."""
    with make_celery(broker_url) as app, app.connection_for_write() as connection:
        yield CeleryPublisher(app, app.amqp.Producer(connection, auto_declare=False))


class OutboxPublisher:
    """Publishes the messages of committed steps, and marks unsent ones as not dispatched, for the reclaimer to send.

    Args:
        database: the results database.
        publisher: publishes to the broker.
        keeps_trying: False stops after a failure, for short-lived commands: each try costs seconds.
        mark: marks steps as not dispatched; None does it in one transaction, without retries.
    """

    def __init__(
        self,
        database: Engine,
        publisher: Publisher,
        *,
        keeps_trying: bool = False,
        mark: Callable[[Sequence[UUID]], None] | None = None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keeps_trying = keeps_trying
        self._mark = mark or self._mark_once
        self._has_given_up = False
        self.unsent = 0

    def publish(self, step_messages: Sequence[StepMessage]) -> int:
        """Publish the messages of committed steps, and return the number of unsent ones."""
        sent = 0 if self._has_given_up or not step_messages else self._publisher.publish(step_messages)
        unsent = step_messages[sent:]
        if unsent:
            self._has_given_up = not self._keeps_trying
            self.unsent += len(unsent)
            self._mark([step_message.step_id for step_message in unsent])
        return len(unsent)

    def _mark_once(self, steps: Sequence[UUID]) -> None:
        with Session(self._database) as session, session.begin():
            mark_undispatched(session, steps)
