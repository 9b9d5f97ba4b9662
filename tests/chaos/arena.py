"""Postgres and Valkey of the chaos tests' own: they are killed, frozen and started again."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from migrations.run import upgrade
from models.session import connect
from models.tables import Base
from tests.processes import PATIENCE, make_open_folder
from workers.local.home import Home, open_home


class Server:
    """One server process that can be ended in every way and started again."""

    def __init__(
        self, command: Sequence[str], log: Path, *, answers: Callable[[], bool], user: str | None = None
    ) -> None:
        self._command = command
        self._log = log
        self._answers = answers
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers."""
        if self._process is None:
            self._launch()
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{self._command[0]} does not answer; see {self._log}")
            time.sleep(0.05)

    def revive(self) -> None:
        """Start it again if it has ended by itself, without waiting for it."""
        if self._process is not None and self._process.poll() is not None:
            self._launch()

    def _launch(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=self._user,
                cwd="/",
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def end(self, number: signal.Signals) -> None:
        """End it with a signal and wait until it is gone."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait(timeout=PATIENCE)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal that does not end it."""
        assert self._process is not None
        self._process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Arena:
    """Both servers, with a migrated database that each test finds empty."""

    home: Home
    postgres: Server
    valkey: Server

    @property
    def broker_url(self) -> str:
        """Address of Valkey."""
        return self.home.valkey.url

    @property
    def database_url(self) -> str:
        """Address of the migrated database."""
        return _database_url(self.home)

    def empty_database(self) -> None:
        """Forget every row; whatever a worker that was killed left open is ended first."""
        with psycopg.connect(self.home.postgres.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
            connection.execute(f"TRUNCATE {tables}")

    def empty_broker(self) -> None:
        """Forget every message."""
        with redis.Redis.from_url(self.broker_url) as broker:
            broker.flushall()

    def lose_broker(self, *, down: float = 0.0) -> None:
        """Kill Valkey and start it without anything that it knew."""
        self.valkey.end(signal.SIGKILL)
        for part in self.home.valkey.folder.glob("appendonlydir"):
            shutil.rmtree(part)
        time.sleep(down)
        self.valkey.start()

    def crash_broker(self, *, down: float = 0.0) -> None:
        """Kill Valkey and start it with its append-only file."""
        self.valkey.end(signal.SIGKILL)
        time.sleep(down)
        self.valkey.start()

    def restart_postgres(self, number: signal.Signals = signal.SIGINT, *, down: float = 0.0) -> None:
        """End Postgres (SIGINT: fast, SIGQUIT: as in a crash) and start it again."""
        self.postgres.end(number)
        time.sleep(down)
        self.postgres.start()

    def repair(self) -> None:
        """Bring up whatever a test left down."""
        for server in (self.postgres, self.valkey):
            server.start()


@contextmanager
def open_arena(*, is_durable: bool = False) -> Iterator[Arena]:
    """Run both servers for the length of a block; a durable Postgres waits for the disk as a real one does."""
    with make_open_folder() as folder, run_arena(folder, is_durable=is_durable) as arena:
        yield arena


@contextmanager
def run_arena(folder: Path, *, is_durable: bool = False) -> Iterator[Arena]:
    """Run both servers in a folder for the length of a block."""
    home = open_home(folder)
    home.postgres.initialize()
    home.valkey.initialize()
    # Without fsync: no test is about a machine that loses power, and the disk is not what is tested.
    command = [*home.postgres.command, "-c", f"fsync={'on' if is_durable else 'off'}"]
    postgres = Server(
        command,
        home.logs / "postgres.log",
        answers=lambda: _has_postgres(home),
        user=home.postgres.system_user,
    )
    valkey = Server(home.valkey.command, home.logs / "valkey.log", answers=lambda: _has_valkey(home))
    try:
        postgres.start()
        valkey.start()
        _migrate(home)
        yield Arena(home, postgres, valkey)
    finally:
        valkey.end(signal.SIGKILL)
        # Nobody reads the data again, so there is nothing to shut down in order.
        postgres.end(signal.SIGQUIT)


def _migrate(home: Home) -> None:
    engine = connect(_database_url(home), pool_size=1)
    upgrade(engine)
    engine.dispose()


def _database_url(home: Home) -> str:
    return home.postgres.url.replace("postgresql://", "postgresql+psycopg://")


def _has_postgres(home: Home) -> bool:
    try:
        psycopg.connect(home.postgres.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _has_valkey(home: Home) -> bool:
    try:
        with redis.Redis.from_url(home.valkey.url, socket_timeout=2) as broker:
            return bool(broker.ping())
    except redis.RedisError:
        return False
