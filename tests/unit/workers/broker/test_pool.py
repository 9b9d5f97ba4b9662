"""The pool of threads wakes the event loop that waits for a free slot."""

from __future__ import annotations

from kombu.asynchronous import Hub, set_event_loop

from workers.broker.compat_celery import TaskPool

LONG_SECONDS = 60


def test_an_ended_task_wakes_a_loop_that_has_nothing_to_do_for_long() -> None:
    hub = Hub()
    set_event_loop(hub)
    pool = TaskPool(limit=1)
    fired: list[bool] = []
    hub.call_later(LONG_SECONDS, lambda: fired.append(True))
    # Once round without waiting: from now on the loop sleeps until its timer, unless somebody wakes it.
    hub.call_soon(lambda: None)
    hub.run_once()
    pool.on_apply(lambda: None, callback=lambda _: None).wait()
    hub.run_once()
    assert not fired
    pool.on_stop()
    hub.close()
