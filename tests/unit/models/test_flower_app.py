from __future__ import annotations

import runpy

import pytest

from models.queues import PRIORITY_STEPS


def test_flower_knows_the_queues_of_every_served_name_and_the_levels_of_the_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("GISTMILL_SERVED_NAMES", "default reports")

    app = runpy.run_module("models.flower_app")["app"]

    names = {queue.name for queue in app.conf.task_queues}
    assert names == {
        f"{kind}.{name}" for kind in ("reduce", "map", "plan", "evaluate") for name in ("default", "reports")
    }
    assert app.conf.broker_transport_options["priority_steps"] == PRIORITY_STEPS
