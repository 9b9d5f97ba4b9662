"""Finds what was lost and sends it again: expired leases, unsent messages, a broker that forgot everything.

Every worker runs it every few seconds; a lock in Postgres lets one pass run at a time. A pass is a handful of indexed
statements, and it is also what ``gistmill rescue`` runs once.
"""

from __future__ import annotations

import socket
import threading
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

from models import queries, recovery
from models.queues import BROKER_OPTIONS, PRIORITY_STEPS, Doorbell, Wakeup

log = structlog.get_logger()

EPOCH_KEY = "gistmill:epoch"
# kombu's separator between a queue's name and a level, in the names of its lists.
LEVEL_SEPARATOR = "\x06\x16"


@dataclass(frozen=True, slots=True)
class RescueReport:
    """What one pass did; all zero on a healthy cluster."""

    lost_leases: int = 0
    broker_losses: int = 0
    unsent: int = 0
    resent: int = 0
    cancelled_jobs: int = 0
    stuck_jobs: int = 0
    not_sent: int = 0

    @property
    def is_quiet(self) -> bool:
        """True if there was nothing to do."""
        return all(getattr(self, each.name) == 0 for each in fields(self))


class Rescue:
    """One pass at a time over Postgres and the broker."""

    def __init__(
        self,
        engine: Engine,
        broker_url: str,
        doorbell: Doorbell,
        *,
        redispatch_seconds: float,
        restart_grace_seconds: float,
    ) -> None:
        self._engine = engine
        timeouts = {name: BROKER_OPTIONS[name] for name in ("socket_timeout", "socket_connect_timeout")}
        self._broker = redis.Redis.from_url(broker_url, decode_responses=True, **timeouts)
        self._doorbell = doorbell
        self._redispatch_seconds = redispatch_seconds
        self._restart_grace_seconds = restart_grace_seconds

    def run_pass(self) -> RescueReport | None:
        """Do everything once; None if another process is at it.

        Raises:
            redis.RedisError: the broker is away; what Postgres alone needs is done by then.
        """
        with Session(self._engine) as session, session.begin():
            if not recovery.try_rescue_lock(session):
                return None
            lost = self._take_back(session)
            cancelled = sum(recovery.finish_cancel(session, job) for job in recovery.find_cancelling(session))
            stuck = recovery.find_stuck(session)
        for job in stuck:
            log.error("job_stuck", job=str(job), action="please report this with the job's rows of table steps")
        forgotten = self._compare_epochs()
        unsent, resent, failed = self._send()
        return RescueReport(
            lost_leases=lost,
            broker_losses=forgotten,
            unsent=unsent,
            resent=resent,
            cancelled_jobs=cancelled,
            stuck_jobs=len(stuck),
            not_sent=failed,
        )

    def _take_back(self, session: Session) -> int:
        self._expire_dead_neighbours(session)
        if recovery.has_restarted_within(session, self._restart_grace_seconds):
            return 0
        lost = recovery.take_back_lost(session)
        for step in lost:
            log.warning(
                "lease_lost",
                step=str(step.step_id),
                job=str(step.job_id),
                worker=step.worker,
                crashes=step.crashes,
            )
        return len(lost)

    def _expire_dead_neighbours(self, session: Session) -> None:
        # A process of this host that is gone cannot come back: no need to wait for its leases to run out.
        workers = recovery.find_processes(session, host_identity())
        dead = [worker.id for worker in workers if not _is_alive(worker.pid, worker.started_at.timestamp())]
        if dead:
            recovery.expire_leases_of(session, dead)

    def _compare_epochs(self) -> int:
        fresh = uuid.uuid4().hex
        seen = self._broker.set(EPOCH_KEY, fresh, nx=True, get=True) or fresh
        with Session(self._engine) as session, session.begin():
            if recovery.read_epoch(session) == seen:
                return 0
            recovery.write_epoch(session, str(seen))
            forgotten = recovery.forget_dispatches(session)
        log.warning("broker_lost_its_data", ready_steps=forgotten, action="all of them are sent again")
        return forgotten

    def _send(self) -> tuple[int, int, int]:
        with Session(self._engine) as session, session.begin():
            unsent = recovery.dispatch_waiting(session)
            queues = recovery.find_waiting_queues(session, self._redispatch_seconds)
            empty = [queue for queue in queues if self._is_empty(queue)]
            resent = recovery.dispatch_overdue(session, empty, self._redispatch_seconds) if queues else []
        return len(unsent), len(resent), self._ring([*unsent, *resent])

    def _ring(self, wakeups: Sequence[Wakeup]) -> int:
        sent = self._doorbell.ring(wakeups)
        if sent < len(wakeups):
            with Session(self._engine) as session, session.begin():
                queries.mark_undispatched(session, (wakeup.step_id for wakeup in wakeups[sent:]))
        return len(wakeups) - sent

    def _is_empty(self, queue: str) -> bool:
        names = [queue if level == 0 else f"{queue}{LEVEL_SEPARATOR}{level}" for level in PRIORITY_STEPS]
        return self._broker.exists(*names) == 0


class RescueThread:
    """Runs a pass every few seconds for as long as the worker lives."""

    def __init__(self, rescue: Rescue, *, interval_seconds: float) -> None:
        self._rescue = rescue
        self._interval = interval_seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="rescue", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after the current pass."""
        self._closed.set()
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._closed.wait(self._interval):
            try:
                report = self._rescue.run_pass()
            except (DBAPIError, redis.RedisError) as error:
                log.warning("rescue_postponed", error=str(error).splitlines()[0])
                continue
            if report and not report.is_quiet:
                log.info("rescued", **{each.name: getattr(report, each.name) for each in fields(report)})


def host_identity() -> str:
    """Return what processes that see each other's process ids have in common."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace.readlink().name if namespace.exists() else 'pid'}"


def _is_alive(pid: int, started_at: float) -> bool:
    try:
        # The same number may belong to another process by now, but that one began at another time.
        return abs(psutil.Process(pid).create_time() - started_at) < 1
    except psutil.NoSuchProcess:
        return False
