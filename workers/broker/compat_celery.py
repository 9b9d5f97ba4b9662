"""Celery's consumer and pool of threads as a worker needs them: fewer events, and a loop that wakes for a free slot.

Names of Celery that it does not document, all of them here; a new version is checked against this table:

celery.worker.consumer
    Consumer._flush_events  sends the events that have gathered
    Consumer.hub  its event loop
    Consumer.on_ready  after each connection
    Consumer.on_send_event_buffered  after each event
celery.events.dispatcher
    EventDispatcher.buffer_limit  events that are sent at once
celery.concurrency.thread
    ApplyResult.f  the future of a task
    TaskPool.on_apply  runs a task in a thread
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.worker.consumer import Consumer
from kombu.asynchronous import get_event_loop

# Seconds that an event waits at most; sending each at once takes as long as taking the message that it is about.
EVENT_SECONDS = 0.5
# Events that are sent at once when they have gathered before; a step has three.
MAX_EVENTS = 1000


class BufferingConsumer(Consumer):
    """Sends events for Flower twice a second instead of after every message; Celery sends a full buffer at once."""

    _flushing: Any = None

    def on_ready(self) -> None:
        """Begin to send what has gathered; called again after every reconnection."""
        super().on_ready()
        self.event_dispatcher.buffer_limit = MAX_EVENTS
        if self._flushing is not None:
            self._flushing.cancel()
        self._flushing = self.hub.call_repeatedly(EVENT_SECONDS, self._flush_events)

    def on_send_event_buffered(self) -> None:
        """Leave the event in the buffer."""


class TaskPool(ThreadPool):
    """Wakes the event loop after every task.

    A consumer that takes no more messages than it has slots looks for a free one whenever its loop goes round, which
    without a message happens when the next timer fires.
    """

    def on_apply(self, *arguments: Any, **options: Any) -> ApplyResult:
        """Run a task in a thread."""
        result = super().on_apply(*arguments, **options)
        result.f.add_done_callback(_wake_loop)
        return result


def _wake_loop(_: Future[Any]) -> None:
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_do_nothing)


def _do_nothing() -> None:
    """Going round is all that the loop has to do."""
