"""Celery's pool of threads, which tells the consumer when a slot has become free."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from kombu.asynchronous import get_event_loop


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
