"""A Celery worker with the delivery policy of ours and a task that does nothing: what Celery itself can do."""

from __future__ import annotations

from models.queues import task_name
from models.settings import read_settings
from models.step import StepKind
from tests.fake_worker import load_fake
from workers.broker.app import EngineStep, default_node, make_app, run_worker
from workers.logs import configure_logs


def do_nothing(step_id: str) -> None:
    """Take a message and let it go."""


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings()
    configure_logs(settings)
    app = make_app(settings, load_fake)
    app.steps["worker"].discard(EngineStep)
    name = task_name(StepKind.MAP)
    app.tasks.unregister(name)
    app.task(do_nothing, name=name)
    run_worker(app, node=default_node())


if __name__ == "__main__":
    main()
