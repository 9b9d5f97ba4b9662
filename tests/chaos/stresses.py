"""Stresses of a cluster that last for a while: those of the public comparison of job queues on Postgres.

github.com/hardbyte/postgresql-job-queue-benchmarking names five of them chaos and four pressure. Some are harder here:
idle sessions are ended too, and no connection is left instead of a hundred.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from tests.chaos.scene import Scene
from tests.fake_worker import WorkerProcess

# Kills of a worker in one stress, and seconds until it is started again.
KILLS = 6
RESTART_SECONDS = 1.0
# Seconds between two rounds of ending sessions.
SESSION_SECONDS = 0.5
# Connections that a stranger opens, or as many as Postgres has left.
CONNECTIONS = 300
READERS = 4
# Factor by which more is submitted than before.
HIGHER = 1.5
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
SCANS = ("SELECT count(*) FROM steps", "SELECT count(*) FROM jobs", "SELECT count(*) FROM step_attempts")

# Stresses a cluster of a scene within its block, which lasts for that many seconds.
Stress = Callable[[Scene, float], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario of the comparison.

    Args:
        name: as published.
        stress: done to the cluster.
        before: factor of the load without the stress.
        during: factor of the load with the stress.
        is_pressure: whether it is one of the pressure cells.
    """

    name: str
    stress: Stress
    before: float = 1.0
    during: float = 1.0
    is_pressure: bool = False


@contextmanager
def restart_postgres(scene: Scene, seconds: float) -> Iterator[None]:
    """Stop Postgres for half of the time."""
    postgres = scene.arena.postgres
    postgres.end(signal.SIGINT)
    with _run_later(seconds / 2, postgres.start):
        yield


@contextmanager
def end_sessions(scene: Scene, seconds: float) -> Iterator[None]:
    """End every session of the database twice a second, in a transaction or not."""

    def end_all() -> None:
        with psycopg.connect(scene.arena.home.postgres.url, autocommit=True) as admin:
            admin.execute(END_SESSIONS)

    with _run_often(SESSION_SECONDS, end_all):
        yield


@contextmanager
def take_connections(scene: Scene, seconds: float) -> Iterator[None]:
    """Hold every connection that Postgres has left."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            try:
                stack.enter_context(psycopg.connect(scene.arena.home.postgres.url, autocommit=True))
            except psycopg.OperationalError:
                break
        yield


@contextmanager
def kill_worker(scene: Scene, seconds: float) -> Iterator[None]:
    """Kill a worker and start it again after half of the time."""
    victim = scene.workers[0]
    victim.end()
    with _run_later(seconds / 2, victim.start):
        yield


@contextmanager
def kill_again_and_again(scene: Scene, seconds: float) -> Iterator[None]:
    """Kill a worker every few seconds and start it again."""
    victim = scene.workers[0]
    period = seconds / KILLS
    with _run_often(period, lambda: _restart(victim, min(RESTART_SECONDS, period / 2))):
        yield


def _restart(victim: WorkerProcess, pause: float) -> None:
    victim.end()
    time.sleep(pause)
    victim.start()


@contextmanager
def idle_in_transaction(scene: Scene, seconds: float) -> Iterator[None]:
    """Hold a writing transaction with a snapshot: no row version that dies meanwhile can be vacuumed."""
    with psycopg.connect(scene.arena.home.postgres.url) as stranger:
        stranger.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        stranger.execute("SELECT pg_current_xact_id(), count(*) FROM steps")
        yield


@contextmanager
def read_all_the_time(scene: Scene, seconds: float) -> Iterator[None]:
    """Scan whole tables from four sessions, each in one snapshot."""
    ended = threading.Event()
    threads = [threading.Thread(target=_scan, args=(scene.arena.home.postgres.url, ended)) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _scan(url: str, ended: threading.Event) -> None:
    with psycopg.connect(url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        while not ended.is_set():
            for scan in SCANS:
                reader.execute(scan)


@contextmanager
def leave_alone(scene: Scene, seconds: float) -> Iterator[None]:
    """Do nothing: the stress is the load."""
    yield


@contextmanager
def _run_later(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Do something once, after that long."""
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@contextmanager
def _run_often(period: float, act: Callable[[], object]) -> Iterator[None]:
    """Do something at once and again after each period."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            act()
            ended.wait(period)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


CELLS = (
    Cell("postgres_restart", restart_postgres),
    Cell("pg_backend_kill", end_sessions),
    Cell("pool_exhaustion", take_connections),
    Cell("crash_recovery", kill_worker),
    Cell("repeated_kills", kill_again_and_again),
    Cell("idle_in_tx", idle_in_transaction, is_pressure=True),
    Cell("sustained_high_load", leave_alone, during=HIGHER, is_pressure=True),
    Cell("active_readers", read_all_the_time, is_pressure=True),
    Cell("event_burst", leave_alone, before=HIGHER, during=HIGHER * HIGHER, is_pressure=True),
)
