"""Composition of a worker process: engine, leases, executor and reclaim thread on two connection pools."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil
import structlog
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models import step_updates
from models.base import Json
from models.lookup import list_live_workers
from models.publisher import CeleryPublisher
from models.registry import describe_served, lock_name
from models.session import check_database, connect
from models.settings import Settings
from models.tables import Worker
from workers.execution.executor import StepExecutor
from workers.execution.leases import Leases
from workers.execution.reclaim import Reclaimer, ReclaimThread, host_identity, is_dead_neighbour
from workers.execution.store import StepStore
from workers.health import StatusServer
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt

if TYPE_CHECKING:
    from workers.evaluation.verification import ClaimJudge
    from workers.generation import TextGenerator

log = structlog.get_logger()

# Exit code after a fatal engine error (EX_SOFTWARE); the supervisor logs it and restarts the process.
ENGINE_DIED_CODE = 70
# Seconds between looks at workers that serve other weights under the same name.
NAME_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """Loaded engine of this process.

    Args:
        generator: the engine.
        device: human-readable name of its device.
        seconds_since_progress: returns the seconds since the last token while requests wait; 0 when idle.
        close: stops the engine.
        trained_prompt: default prompt of jobs, from the metadata of the weights.
        judge: verifier of sentences; None to check their facts only.
        details: further facts about the engine, for the worker's row.
        remark: note on every generated step; None for none.
        has_adapter: whether an adapter is applied to the weights.
    """

    generator: TextGenerator
    device: str
    seconds_since_progress: Callable[[], float]
    close: Callable[[], None]
    trained_prompt: TrainedPrompt = UNTRAINED
    judge: ClaimJudge | None = None
    details: Json = field(default_factory=dict)
    remark: str | None = None
    has_adapter: bool = False


class Service:
    """Components of one worker process, from its start to its end."""

    def __init__(self, settings: Settings, app: Celery, served: Served, *, node: str) -> None:
        self.worker_id = f"{node}#{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._served = served
        self._node = node
        self._steps_database, self._database = connect_pools(settings, application=f"gistmill {node}")
        publisher = CeleryPublisher(app)
        store = StepStore(
            self._steps_database, publisher, worker_id=self.worker_id, lease_seconds=settings.lease_seconds
        )
        self._leases = Leases(
            self._database,
            must_end=store.must_end,
            worker_id=self.worker_id,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            is_hung=lambda: served.seconds_since_progress() > settings.hang_seconds,
            on_hang=end_process,
        )
        self.executor = StepExecutor(
            store,
            served.generator,
            self._leases,
            settings=settings,
            trained_prompt=served.trained_prompt,
            judge=served.judge,
            remark=served.remark,
        )
        reclaimer = Reclaimer(
            self._database,
            settings.require_broker_url(),
            publisher,
            redispatch_seconds=settings.redispatch_seconds,
            restart_grace_seconds=settings.restart_grace_seconds,
            retention_days=settings.retention_days,
        )
        self._reclaimer = ReclaimThread(reclaimer, worker_id=self.worker_id, interval_seconds=settings.rescue_seconds)
        self._drain: threading.Timer | None = None
        port = settings.metrics_port
        self._status = StatusServer(settings.metrics_host, port, self._is_healthy) if port else None

    def start(self) -> None:
        """Register this process and start its status, lease and reclaim threads; wait for its weights' name to be free.

        Raises:
            UnreachableError: Postgres does not answer or has no tables.
        """
        check_database(self._database)
        if self._status is not None:
            self._status.start()
        self._register()
        self._leases.start()
        self._reclaimer.start()
        log.info("worker_ready", worker=self.worker_id, device=self._served.device, weights=self._settings.weights_name)

    def begin_drain(self) -> None:
        """Let running steps finish; release those that outlast the drain, for other workers."""
        if self._drain is None:
            log.info("draining", worker=self.worker_id, seconds=self._settings.drain_seconds)
            self._drain = threading.Timer(self._settings.drain_seconds, self._leases.stop_all)
            self._drain.daemon = True
            self._drain.start()

    def close(self) -> None:
        """Stop threads and engine in order, after the last step, and close the connection pools."""
        if self._drain is not None:
            self._drain.cancel()
        if self._status is not None:
            self._status.close()
        self._reclaimer.close()
        self._leases.close()
        with Session(self._database) as session, session.begin():
            step_updates.stop_worker(session, self.worker_id)
        self._served.close()
        self._database.dispose()
        self._steps_database.dispose()
        log.info("worker_stopped", worker=self.worker_id)

    def _is_healthy(self) -> bool:
        return self._drain is None and self._served.seconds_since_progress() <= self._settings.hang_seconds

    def _register(self) -> None:
        """Record the start of this process; wait while live workers serve other weights under the same name."""
        told: list[str] = []
        while others := self._try_register():
            if others != told:
                log.warning(
                    "waiting_for_other_weights",
                    weights=self._settings.weights_name,
                    ours=describe_served(self._describe()),
                    theirs=others,
                    action="a name stands for one set of weights at a time: stop those workers, start all with the "
                    "same weights, GISTMILL_DTYPE and GISTMILL_QUANTIZATION, or give these a name of their own "
                    "(gistmill weights add)",
                )
            told = others
            time.sleep(NAME_SECONDS)

    def _try_register(self) -> list[str]:
        """Record the start of this process, or return the live workers that serve other weights under its name."""
        ours = self._describe()
        with Session(self._database) as session, session.begin():
            lock_name(session, ours.weights)
            others = [
                f"{other.node}: {describe_served(other)}"
                for other in list_live_workers(session)
                if other.weights == ours.weights
                and other.weights_fingerprint != ours.weights_fingerprint
                and not is_dead_neighbour(other)
            ]
            if not others:
                step_updates.register_worker(session, ours)
        return others

    def _describe(self) -> Worker:
        process = psutil.Process()
        return Worker(
            id=self.worker_id,
            node=self._node,
            host=host_identity(),
            pid=process.pid,
            device=self._served.device,
            weights=self._settings.weights_name,
            weights_fingerprint=self._served.generator.fingerprint,
            details={"slots": self._settings.slots, "hostname": socket.gethostname(), **self._served.details},
            # The local clock suffices: only processes of this host compare it.
            started_at=datetime.fromtimestamp(process.create_time(), UTC),
        )


def connect_pools(settings: Settings, *, application: str) -> tuple[Engine, Engine]:
    """Return the connection pool of steps and that of background threads.

    A step retries after an outage, so its pool skips the ping. A transaction that is idle for a whole lease is ended by
    the server.
    """
    steps = connect(
        settings.require_database_url(),
        pool_size=min(settings.slots, 20),
        application=application,
        pre_ping=False,
        autocommit=True,
        idle_in_transaction_timeout=settings.lease_seconds,
    )
    background = connect(
        settings.require_database_url(),
        pool_size=2,
        application=application,
        idle_in_transaction_timeout=settings.lease_seconds,
    )
    return steps, background


def end_process() -> None:
    """Exit without clean-up: the leases expire, and other workers take over the steps."""
    os._exit(ENGINE_DIED_CODE)
