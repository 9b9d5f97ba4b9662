"""Single-machine cluster: starts servers, workers and Flower in order, and stops them in reverse."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import redis
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from migrations.run import upgrade
from models.full_disk import explain_full_disk
from models.registry import list_latest_served, renew_weights
from models.serve_address import describe_http_url
from models.session import connect
from models.settings import Settings
from models.tables import Worker
from workers.errors import FINAL_CODE, FinalStartError, ServerStartError
from workers.local.flower import describe_flower
from workers.local.home import Home, open_home
from workers.local.launch import Gpu, count_workers, plan_processes
from workers.local.ports import Report, choose_metrics_port, choose_port
from workers.local.supervisor import Program, Supervisor
from workers.local.web import describe_http
from workers.started_server import FILE_VARIABLE, StartedServer
from workers.weights.registration import describe_packaged, resolve_name

# Seconds for an embedded server to answer, crash recovery included.
SERVER_SECONDS = 60
# Seconds for a worker to load its weights.
WORKER_SECONDS = 600
# Seconds after which a wait is reported, and again after as many.
REPORT_SECONDS = 20

# Free bytes below which a disk counts as full; a segment of Postgres' log has 16 MiB.
MIN_FREE_BYTES = 16 * 2**20
REMEDY = "free some space there, or set GISTMILL_HOME to a folder on a larger disk, and start again"
# Prefix of the start-up error in the log of every process of this cluster.
ERROR_PREFIX = "gistmill: error: "


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of the running cluster."""

    database_url: str
    broker_url: str
    flower_url: str
    http_url: str


class Stack:
    """Embedded Postgres, Valkey, workers and Flower under one supervisor."""

    def __init__(self, settings: Settings, gpus: Sequence[Gpu], *, names: Sequence[str] = (), report: Report) -> None:
        """Prepare the cluster without starting it.

        Args:
            settings: settings of this cluster.
            gpus: GPUs to use; empty for the CPU (see ``plan_processes``).
            names: names of the weights to serve; by default the settings' own.
            report: called with a short description of every start-up step.
        """
        self._settings = settings
        self._report = report
        self._home = open_home(settings.home)
        self._gpus = gpus
        self._names = names
        self._workers: list[Program] = []
        self._supervisor: Supervisor | None = None

    @property
    def home(self) -> Home:
        """Data folder of the cluster."""
        return self._home

    @contextmanager
    def run(self) -> Iterator[Addresses]:
        """Start the cluster; stop it at the end of the block, exceptions included.

        Raises:
            AlreadyRunningError: this home is in use.
            FullDiskError: the disk of this home is full.
            ServerStartError: a program did not start; the message names its log.
        """
        with explain_full_disk(self._home.folder, remedy=REMEDY), self._home.lock():
            _end_orphans(self._home)
            try:
                yield self._start()
            finally:
                self._stop()

    def watch(self) -> None:
        """Block until the supervisor exits; it restarts all other programs itself."""
        while self._supervisor is not None and self._supervisor.is_alive():
            time.sleep(0.5)

    def _start(self) -> Addresses:
        home = self._home
        self._report("preparing the data folder")
        home.postgres.initialize()
        home.valkey.initialize()
        flower_port = choose_port(self._settings, "flower_port", "Flower", report=self._report)
        http_port = choose_port(self._settings, "serve_port", "the HTTP server", report=self._report)
        processes = count_workers(self._settings, self._gpus, len(self._names or (self._settings.weights_name,)))
        self._settings = choose_metrics_port(self._settings, processes=processes, report=self._report)
        environment = self._environment()
        self._workers = plan_processes(
            self._settings, self._gpus, home.folder, names=self._names, is_automatic=False, environment=environment
        )
        programs = self._describe_programs(environment, flower_port, http_port)
        self._supervisor = Supervisor(home.folder, programs, logs=home.logs)
        self._supervisor.run()
        self._start_postgres()
        self._start_valkey()
        addresses = Addresses(
            database_url=home.postgres.url,
            broker_url=home.valkey.url,
            flower_url=f"http://127.0.0.1:{flower_port}",
            http_url=describe_http_url(self._settings, http_port),
        )
        home.publish_servers(**asdict(addresses))
        self._start_web()
        self._start_workers()
        return addresses

    def _describe_programs(self, environment: dict[str, str], flower_port: int, http_port: int) -> list[Program]:
        home = self._home
        postgres = Program(
            "postgres", home.postgres.command, stop_signal="INT", stop_seconds=30, user=home.postgres.system_user
        )
        valkey = Program("valkey", home.valkey.command)
        names = self._names or (self._settings.weights_name,)
        flower = describe_flower(home.folder, home.valkey.url, names, port=flower_port, environment=environment)
        http = describe_http(self._settings, http_port, environment)
        return [postgres, valkey, flower, http, *self._workers]

    def _environment(self) -> dict[str, str]:
        return {
            "GISTMILL_HOME": str(self._home.folder),
            "GISTMILL_DATABASE_URL": self._home.postgres.url,
            "GISTMILL_BROKER_URL": self._home.valkey.url,
        }

    def _start_postgres(self) -> None:
        self._report("starting PostgreSQL")
        self._require_supervisor().start("postgres")
        engine = connect(self._settings_url())
        try:
            self._wait(lambda: _is_database_up(engine), "postgres", SERVER_SECONDS)
            upgrade(engine)
            self._register_weights(engine)
        finally:
            engine.dispose()

    def _register_weights(self, engine: Engine) -> None:
        """Register the packaged weights, and check that every name to serve is known."""
        with Session(engine) as session, session.begin():
            for weights in describe_packaged():
                renew_weights(session, weights)
            for name in self._names:
                resolve_name(self._settings.model_copy(update={"weights_name": name}), session)

    def _start_valkey(self) -> None:
        self._report("starting Valkey")
        self._require_supervisor().start("valkey")
        broker = redis.Redis.from_url(self._home.valkey.url, socket_timeout=2)
        self._wait(lambda: _is_broker_up(broker), "valkey", SERVER_SECONDS)
        broker.close()

    def _start_web(self) -> None:
        self._report("starting Flower and the HTTP server")
        for name in ("flower", "http"):
            self._require_supervisor().start(name)

    def _start_workers(self) -> None:
        self._report("loading the weights")
        engine = connect(self._settings_url())
        try:
            with Session(engine) as session:
                before = session.scalar(select(func.count()).select_from(Worker)) or 0
                served = list_latest_served(session)
            for program in self._workers:
                self._require_supervisor().start(program.name)
            for program in filter(lambda program: program.is_server, self._workers):
                server = StartedServer(Path(program.environment[FILE_VARIABLE]))
                self._wait(lambda server=server: "is_ready" in server.read(), program.name, WORKER_SECONDS)  # type: ignore[misc]
            workers = [program for program in self._workers if not program.is_server]
            for started, program in enumerate(workers, start=before + 1):
                self._wait(lambda wanted=started: _count_workers(engine) >= wanted, program.name, WORKER_SECONDS)  # type: ignore[misc]
            with Session(engine) as session:
                self._report_changes(served, list_latest_served(session))
        finally:
            engine.dispose()

    def _report_changes(self, before: dict[str, str], now: dict[str, str]) -> None:
        """Say which names stand for other weights than at the last start: their results are not comparable."""
        for name in sorted(name for name in now if before.get(name, now[name]) != now[name]):
            self._report(
                f"{name} stands for other weights than at the last start: {now[name]}, before {before[name]}; "
                "their summaries differ, so `gistmill weights add` gives each set a name of its own"
            )

    def _settings_url(self) -> str:
        return self._home.postgres.url.replace("postgresql://", "postgresql+psycopg://", 1)

    def _wait(self, is_up: Callable[[], bool], program: str, seconds: float) -> None:
        log = self._home.logs / f"{program}.log"
        began = said = time.monotonic()
        first_pid = 0
        while not is_up():
            state, pid = self._require_supervisor().describe()[program]
            first_pid = first_pid or pid
            if state in ("BACKOFF", "FATAL", "EXITED") or pid not in (0, first_pid):
                self._check_disk()
                is_final = self._require_supervisor().read_exit_code(program) == FINAL_CODE
                kind = FinalStartError if is_final else ServerStartError
                raise kind(f"{program} did not start: {_find_error(log)} (log: {log})")
            if (now := time.monotonic()) > began + seconds:
                raise ServerStartError(f"{program} did not answer within {seconds:.0f} s; its log is {log}")
            if now > said + REPORT_SECONDS:
                self._report(f"{program} is still starting after {now - began:.0f} s; its log is {log}")
                said = now
            time.sleep(0.1)

    def _check_disk(self) -> None:
        """Raise the error of a full disk if this home's is full: a program's log cannot say so, because it is there."""
        if shutil.disk_usage(self._home.folder).free < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _stop(self) -> None:
        if self._supervisor is not None:
            seconds = self._settings.drain_seconds
            self._report(f"stopping: running steps have {seconds:.0f} s to end, then they wait for the next start")
            self._supervisor.shutdown()
        self._home.withdraw_servers()

    def _require_supervisor(self) -> Supervisor:
        if self._supervisor is None:
            raise ServerStartError("the cluster is not running; call run() first")
        return self._supervisor


def _end_orphans(home: Home) -> None:
    """End servers and workers of this data folder that outlived a killed ``gistmill up``."""
    marks = {str(home.folder / name) for name in ("postgres", "supervisord.conf")}
    marks.add(str(home.valkey.folder / "valkey.conf"))
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = process.info["cmdline"] or []
        environment = process.info["environ"] or {}
        is_ours = command[1:3] == ["-m", "workers"] or command[1:4] == ["-m", "gistmill", "serve"]
        is_worker = environment.get("GISTMILL_HOME") == str(home.folder) and is_ours
        if process.pid != os.getpid() and (is_worker or marks & set(command)):
            # It may end by itself meanwhile, as others do at the end of their supervisor.
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                try:
                    process.wait(timeout=20)
                except psutil.TimeoutExpired:
                    process.kill()


def _is_database_up(engine: Engine) -> bool:
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False


def _is_broker_up(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.RedisError:
        return False


def _count_workers(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Worker)) or 0


def _find_error(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    errors = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    return (errors or lines or ["it wrote nothing"])[-1]
