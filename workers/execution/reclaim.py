"""Reclaiming of lost work: steps with expired leases, unsent messages, and messages that the broker lost.

Every worker runs a pass of a few indexed statements every few seconds; a lock in Postgres admits one pass at a time.
The command ``gistmill rescue`` runs one.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import psutil
import redis
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from models import recovery
from models.broker_state import BrokerProcess, LossReason, record_broker
from models.deletion import begin_retention, carry_out, list_unfinished, may_delete
from models.partitions import StepRange, add_partitions
from models.publisher import BROKER_OPTIONS, OutboxPublisher, Publisher
from models.queues import PRIORITY_STEPS, StepMessage
from models.session import describe_database_error
from models.tables import Worker

log = structlog.get_logger()

EPOCH_KEY = "gistmill:epoch"
# kombu's separator between a queue's name and a level, in the names of its lists.
LEVEL_SEPARATOR = "\x06\x16"
# Seconds between two searches for stuck jobs; a stuck job means that an invariant is broken.
STUCK_SECONDS = 300
# Seconds between two searches for jobs that are kept no longer.
RETENTION_SECONDS = 600
# Seconds of a pass for a deletion whose process died: lost work is reclaimed in the same thread.
DELETION_SECONDS = 1.0
# Seconds between two looks for months without a partition.
PARTITION_SECONDS = 3600
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class ReclaimReport:
    """Counts of one pass; all zero on a healthy cluster."""

    lost_leases: int = 0
    broker_losses: int = 0
    unsent: int = 0
    resent: int = 0
    cancelled_jobs: int = 0
    stuck_jobs: int = 0
    not_sent: int = 0

    @property
    def is_quiet(self) -> bool:
        """True if all counts are zero."""
        return all(getattr(self, field.name) == 0 for field in fields(self))


class Reclaimer:
    """Reclaims lost work in passes over Postgres and the broker."""

    def __init__(
        self,
        engine: Engine,
        broker_url: str,
        publisher: Publisher,
        *,
        redispatch_seconds: float,
        restart_grace_seconds: float,
        retention_days: int | None = None,
    ) -> None:
        self._engine = engine
        timeouts = {name: BROKER_OPTIONS[name] for name in ("socket_timeout", "socket_connect_timeout")}
        self._broker = redis.Redis.from_url(broker_url, decode_responses=True, **timeouts)
        self._publisher = OutboxPublisher(engine, publisher, keeps_trying=True)
        self._redispatch_seconds = redispatch_seconds
        self._restart_grace_seconds = restart_grace_seconds
        self._next_stuck_search = 0.0
        self._retention_days = retention_days
        self._next_retention = 0.0
        self._may_delete = False
        self._next_partitions = 0.0

    def run_pass(self) -> ReclaimReport | None:
        """Run one pass; None if another process holds the lock.

        Raises:
            redis.RedisError: the broker is unreachable; the work in Postgres alone is done by then.
        """
        self._add_partitions()
        with Session(self._engine) as session, session.begin():
            if not recovery.try_reclaim_lock(session):
                return None
            partitions = recovery.find_open_partitions(session)
            lost = self._reclaim_leases(session, partitions)
        cancelled = self._finish_cancelled()
        stuck = self._report_stuck()
        self._delete_due()
        forgotten = self._detect_broker_loss(partitions)
        unsent, resent, failed = self._send(partitions)
        return ReclaimReport(
            lost_leases=lost,
            broker_losses=forgotten,
            unsent=unsent,
            resent=resent,
            cancelled_jobs=cancelled,
            stuck_jobs=stuck,
            not_sent=failed,
        )

    def _reclaim_leases(self, session: Session, partitions: Sequence[StepRange]) -> int:
        self._expire_dead_neighbours(session, partitions)
        if recovery.has_restarted_within(session, self._restart_grace_seconds):
            return 0
        lost = [step for steps in partitions for step in recovery.take_back_lost(session, steps)]
        for step in lost:
            log.warning(
                "lease_lost",
                step=str(step.step_id),
                job=str(step.job_id),
                worker=step.worker,
                crashes=step.crashes,
            )
        return len(lost)

    def _expire_dead_neighbours(self, session: Session, partitions: Sequence[StepRange]) -> None:
        # A dead process of this host cannot return, so its leases need not expire first.
        dead = [worker.id for worker in recovery.find_processes(session, host_identity()) if is_dead_neighbour(worker)]
        if not dead:
            return
        recovery.record_stops(session, dead)
        for steps in partitions:
            recovery.expire_leases_of(session, steps, dead)

    def _finish_cancelled(self) -> int:
        finished = 0
        with Session(self._engine) as session:
            jobs = recovery.find_cancelling(session)
        for job in jobs:
            # One transaction per job, because the lock order is a job's row before any step's.
            with Session(self._engine) as session, session.begin():
                finished += recovery.finish_cancel(session, job)
        return finished

    def _report_stuck(self) -> int:
        if time.monotonic() < self._next_stuck_search:
            return 0
        self._next_stuck_search = time.monotonic() + STUCK_SECONDS
        with Session(self._engine) as session:
            jobs = recovery.find_stuck(session)
        for job in jobs:
            log.error("job_stuck", job=str(job), action="please report this with the job's rows of table steps")
        return len(jobs)

    def _add_partitions(self) -> None:
        """Create the partitions of the next months; without them steps go to the default partition."""
        if time.monotonic() < self._next_partitions:
            return
        self._next_partitions = time.monotonic() + PARTITION_SECONDS
        with Session(self._engine) as session, session.begin():
            if added := add_partitions(session):
                log.info("partitions_added", months=added)

    def _delete_due(self) -> None:
        """Delete for a moment what must go, where this worker's role may: a role of its own may do it elsewhere."""
        with Session(self._engine) as session, session.begin():
            if time.monotonic() >= self._next_retention:
                self._next_retention = time.monotonic() + RETENTION_SECONDS
                self._may_delete = may_delete(session)
                if self._may_delete:
                    begin_retention(session, retention_days=self._retention_days, by=host_identity())
            due = list_unfinished(session) if self._may_delete else []
        for deletion in due:
            try:
                # A process that is at it needs no help.
                if carry_out(self._engine, deletion, seconds=DELETION_SECONDS, waits=False):
                    log.info("deletion_finished", deletion=str(deletion))
            except DBAPIError as error:
                reason = describe_database_error(error)
                log.warning("deletion_postponed", deletion=str(deletion), error=reason)

    def _detect_broker_loss(self, partitions: Sequence[StepRange]) -> int:
        fresh = uuid.uuid4().hex
        epoch = str(self._broker.set(EPOCH_KEY, fresh, nx=True, get=True) or fresh)
        process = self._describe_broker()
        with Session(self._engine) as session, session.begin():
            if not recovery.try_reclaim_lock(session):
                return 0
            loss = record_broker(session, epoch, process)
            if loss is None:
                return 0
            forgotten = recovery.forget_dispatches(session, partitions, loss)
        if forgotten:
            emit = log.info if loss.why is LossReason.FIRST else log.warning
            emit(str(loss.why), ready_steps=forgotten, action="they are sent again")
        return forgotten

    def _describe_broker(self) -> BrokerProcess | None:
        try:
            server = self._broker.info("server")
        except redis.ResponseError:  # INFO may be unknown or forbidden
            return None
        name, uptime = server.get("run_id"), server.get("uptime_in_seconds")
        return BrokerProcess(name, uptime) if isinstance(name, str) and isinstance(uptime, int) else None

    def _send(self, partitions: Sequence[StepRange]) -> tuple[int, int, int]:
        unsent: list[StepMessage] = []
        resent: list[StepMessage] = []
        with Session(self._engine) as session, session.begin():
            for steps in partitions:
                unsent += recovery.dispatch_waiting(session, steps)
                empty = self._find_empty(recovery.find_ready_queues(session, steps))
                resent += recovery.dispatch_forgotten(session, steps, empty, self._redispatch_seconds)
                resent += recovery.dispatch_old(session, steps)
        return len(unsent), len(resent), self._publisher.publish([*unsent, *resent])

    def _find_empty(self, queues: Sequence[str]) -> list[tuple[str, int]]:
        """Return the queues and levels whose list on the broker is empty."""
        places = [(queue, level) for queue in queues for level in PRIORITY_STEPS]
        with self._broker.pipeline(transaction=False) as pipeline:
            for queue, level in places:
                pipeline.exists(f"{queue}{LEVEL_SEPARATOR}{level}" if level else queue)
            return [place for place, is_there in zip(places, pipeline.execute(), strict=True) if not is_there]


class ReclaimThread:
    """Thread that runs a pass every few seconds."""

    def __init__(self, reclaimer: Reclaimer, *, worker_id: str, interval_seconds: float) -> None:
        self._reclaimer = reclaimer
        self._worker_id = worker_id
        self._interval = interval_seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="rescue", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread after the current pass."""
        self._closed.set()
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        bind_contextvars(worker=self._worker_id)
        while not self._closed.wait(self._interval):
            try:
                report = self._reclaimer.run_pass()
            except Exception as error:  # noqa: BLE001 - the edge of a thread without which lost steps stay lost
                log.warning("rescue_postponed", error=str(error).partition("\n")[0])
                continue
            if report and not report.is_quiet:
                log.info("rescued", **{field.name: getattr(report, field.name) for field in fields(report)})


def host_identity() -> str:
    """Return the host, boot and PID namespace, equal for processes that can see each other's process ids."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "boot"
    namespace = PID_NAMESPACE.readlink().name if PID_NAMESPACE.exists() else "pid"
    return f"{socket.gethostname()} {boot} {namespace}"


def is_dead_neighbour(worker: Worker) -> bool:
    """Return whether a worker was a process of this host that has ended, whatever its heartbeat."""
    return worker.host == host_identity() and not _is_alive(worker.pid, worker.started_at.timestamp())


def _is_alive(pid: int, started_at: float) -> bool:
    try:
        process = psutil.Process(pid)
        # The kernel reuses process ids; the start time distinguishes their processes.
        is_same = abs(process.create_time() - started_at) < 1
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
