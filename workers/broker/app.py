"""Celery app of a worker: delivery settings, and a boot step that loads the engine before the consumer starts."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from celery import Celery, bootsteps, signals
from kombu import Exchange, Queue

from models.errors import GistmillError
from models.publisher import make_celery
from models.queues import QUEUES, queue_name
from models.settings import Settings
from workers.broker.compat_kombu import use_transport
from workers.broker.tasks import register_tasks
from workers.errors import choose_end_code
from workers.logs import configure_logs
from workers.service import Served, Service

NODE_VARIABLE = "GISTMILL_NODE"
LoadEngine = Callable[[Settings], Served]


class EngineStep(bootsteps.StartStopStep):
    """Boot step that starts the service before the consumer.

    It has no ``stop``: Celery stops boot steps in reverse, so the engine would end before the pool's last tasks.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        """Load the engine and start the service; a failure exits the process before it takes a message."""
        app = parent.app
        try:
            service = Service(app.settings, app, app.load_engine(app.settings), node=parent.hostname)
            service.start()
        except GistmillError as error:
            # Raising would make Celery log a traceback and choose the exit code.
            print(f"gistmill: error: {error}", file=sys.stderr, flush=True)
            os._exit(choose_end_code(error))
        app.service, app.executor = service, service.executor
        # Start-up objects live until the process exits; freezing excludes them from later collections.
        gc.collect()
        gc.freeze()


def make_app(settings: Settings, load_engine: LoadEngine) -> Celery:
    """Return the worker's Celery app.

    Args:
        settings: settings of this process.
        load_engine: called by the boot step to load the engine.
    """
    use_transport()
    app = make_celery(settings.require_broker_url())
    app.conf.update(
        # A broker whose disk is full refuses commands, for a while.
        broker_channel_error_retry=True,
        # Leases in Postgres reclaim lost steps; late acks on Redis would also redeliver to live workers.
        task_acks_late=False,
        task_queues=[_make_queue(queue_name(queue, settings.weights_name)) for queue in QUEUES],
        worker_cancel_long_running_tasks_on_connection_loss=False,  # threads cannot be cancelled
        worker_concurrency=settings.slots,
        worker_consumer="workers.broker.compat_celery:BufferingConsumer",
        worker_disable_prefetch=True,  # waiting messages stay on the broker, for any free worker
        worker_enable_prefetch_count_reduction=False,
        worker_enable_remote_control=True,  # for Flower
        worker_hijack_root_logger=False,
        worker_pool="workers.broker.compat_celery:TaskPool",  # threads: one process, one set of weights
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,  # for Flower
        worker_soft_shutdown_timeout=0,  # threads cannot be interrupted; the drain releases their leases
    )
    app.settings = settings
    app.load_engine = load_engine
    app.steps["worker"].add(EngineStep)
    register_tasks(app)
    return app


def _make_queue(name: str) -> Queue:
    # Equal to the queue that Celery declares for a producer's ``queue=name``.
    return Queue(name, Exchange(name, type="direct"), routing_key=name)


def run_worker(app: Celery, *, node: str) -> None:
    """Serve messages until SIGTERM or SIGINT, then drain and return."""
    try:
        # Quiet, because Celery's banner would break the one-line log format.
        words = ["--quiet", "worker", "--hostname", node, "--without-gossip", "--without-mingle"]
        app.worker_main([*words, "--loglevel", app.settings.log_level])
    finally:
        if hasattr(app, "service"):
            app.service.close()


def default_node() -> str:
    """Return this process's node name, from the launcher or from the host's name."""
    return os.environ.get(NODE_VARIABLE) or f"worker@{socket.gethostname()}"


@signals.setup_logging.connect
def _keep_log_configuration(**_: object) -> None:
    # A receiver of this signal disables Celery's own logging configuration, so its level must be set here.
    logging.getLogger("celery").setLevel(max(logging.INFO, logging.getLogger().level))


@signals.worker_shutting_down.connect
def _drain(**_: object) -> None:
    from celery import current_app

    service = getattr(current_app, "service", None)
    if service is None:
        # The engine still loads, or waits for its server or its name: no step is claimed, so nothing is lost.
        os._exit(0)
    service.begin_drain()


def make_default_app(settings: Settings) -> Celery:
    """Return the app for the settings' weights, used by ``celery -A workers worker`` and the launcher."""
    # Progress bars and bare warnings would break the one-line log format; transformers reads the variable on import.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    configure_logs(settings)
    logging.captureWarnings(True)
    from workers.serving import load_served

    return make_app(settings, load_served)
