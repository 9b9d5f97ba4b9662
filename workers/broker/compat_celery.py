"""Celery's consumer with batched events for Flower, and its thread pool with a notified event loop.

This module has all undocumented names of Celery; check a new version against this table:

celery.worker.consumer
    Consumer._flush_events  sends the buffered events
    Consumer.hub  event loop
    Consumer.on_ready  called after each connection
    Consumer.on_send_event_buffered  called after each event
    Consumer.on_unknown_task  called for a task that is not registered, and logs its message
celery.events.dispatcher
    EventDispatcher.buffer_limit  number of events that triggers a flush
celery.concurrency.thread
    ApplyResult.f  future of a task
    TaskPool.on_apply  runs a task in a thread
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.worker.consumer import Consumer
from kombu.asynchronous import get_event_loop

# Maximum delay of an event, in seconds; sending one event alone takes as long as receiving a message.
EVENT_SECONDS = 0.5
# Buffered events that trigger an immediate flush; a step has three.
MAX_EVENTS = 1000


class BufferingConsumer(Consumer):
    """Consumer with a timer that flushes the event buffer; Celery itself flushes a full one."""

    _flushing: Any = None

    def on_ready(self) -> None:
        """Start the flush timer; called again after every reconnection."""
        super().on_ready()
        self.event_dispatcher.buffer_limit = MAX_EVENTS
        if self._flushing is not None:
            self._flushing.cancel()
        self._flushing = self.hub.call_repeatedly(EVENT_SECONDS, self._flush_events)

    def on_send_event_buffered(self) -> None:
        """Leave the event in the buffer until the next flush."""

    def on_unknown_task(self, body: Any, message: Any, exc: Any) -> None:
        """Drop the message, as of a newer version, without the names of its document and batch in the log."""
        message.headers.pop("argsrepr", None)
        super().on_unknown_task(body, message, exc)


class TaskPool(ThreadPool):
    """Thread pool that schedules a callback on the event loop after every task.

    Without prefetch the consumer checks for a free slot once per iteration of its event loop; an idle loop would
    iterate only at the next timer.
    """

    def on_apply(self, *arguments: Any, **options: Any) -> ApplyResult:
        """Run a task in a thread, and resume the event loop when it is done."""
        result = super().on_apply(*arguments, **options)
        result.f.add_done_callback(_resume_loop)
        return result


def _resume_loop(_: Future[Any]) -> None:
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_do_nothing)


def _do_nothing() -> None:
    """Serve as an empty callback: its scheduling alone makes the loop iterate."""
