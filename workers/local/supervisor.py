"""Keeps processes alive: writes supervisord's configuration, starts it and talks to it.

supervisord restarts what dies (waiting a second longer each time), stops everything in the reverse order of starting,
and kills what does not stop in time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from workers.errors import ServerStartError
from workers.local.compat_supervisor import SupervisorTransport

# A process that lives this long has started; one that dies earlier is restarted ever more slowly, whatever its code. No
# worker ends earlier by itself: its imports take longer.
STARTED_AFTER_SECONDS = 1
# Practically for ever: at the 600th failure the pause is ten minutes.
START_RETRIES = 600
# Seconds for supervisord itself to answer.
READY_SECONDS = 20
LOG_BYTES = "20MB"


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep alive.

    Args:
        name: as its log file is called.
        command: the command line.
        stop_signal: asks it to end.
        stop_seconds: until it is killed.
        environment: added to the supervisor's own.
        user: account to run under, if not the supervisor's.
        is_automatic: started with the supervisor, not by ``Supervisor.start``.
        final_code: exit code after which it is not started again; None starts it again whatever it was.
    """

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    is_automatic: bool = False
    final_code: int | None = None


class Supervisor:
    """A supervisord of our own, reached over a socket that only this user can open."""

    def __init__(self, folder: Path, programs: Sequence[Program], *, logs: Path | None) -> None:
        """Describe it.

        Args:
            folder: where its configuration lies.
            programs: in the order of starting.
            logs: folder of the log files; None sends every program's output to ours.
        """
        self._config = folder / "supervisord.conf"
        self._socket = _socket_path(folder)
        self._write_config(programs, logs)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """Command line that runs supervisord in the foreground, until every program has ended for good."""
        return [
            sys.executable,
            "-m",
            "workers.local.daemon",
            "--nodaemon",
            "--configuration",
            str(self._config),
        ]

    def run(self) -> None:
        """Start supervisord and wait until it answers.

        Raises:
            ServerStartError: it does not.
        """
        # A session of its own: Ctrl-C reaches us alone, and we stop everything in order.
        self._process = subprocess.Popen(
            self.command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self._rpc.getState()
            except (OSError, Fault):
                time.sleep(0.05)
            else:
                return
        raise ServerStartError(f"the process supervisor did not start; see {self._config.parent}/logs/supervisord.log")

    def start(self, name: str) -> None:
        """Start one program without waiting for it to be ready."""
        self._rpc.startProcess(name, False)

    def stop(self, name: str) -> None:
        """Stop one program and wait for its end."""
        self._rpc.stopProcess(name, True)

    def describe(self) -> dict[str, tuple[str, int]]:
        """Return each program's state (RUNNING, BACKOFF, ...) and process id."""
        return {row["name"]: (row["statename"], row["pid"]) for row in self._rpc.getAllProcessInfo()}

    def is_alive(self) -> bool:
        """Tell whether supervisord itself still runs."""
        return self._process is not None and self._process.poll() is None

    def shutdown(self) -> None:
        """Stop every program in reverse order, then supervisord; returns when all are gone."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    @property
    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _write_config(self, programs: Sequence[Program], logs: Path | None) -> None:
        config = RawConfigParser()
        log = "/dev/null" if logs is None else str(logs / "supervisord.log")
        config["supervisord"] = {
            "logfile": log,
            "logfile_maxbytes": "0" if logs is None else LOG_BYTES,
            "pidfile": str(self._socket.with_suffix(".pid")),
            "nodaemon": "true",
            "silent": "true",
            "minfds": "1024",
        }
        if os.geteuid() == 0:
            config["supervisord"]["user"] = "root"
        config["unix_http_server"] = {"file": str(self._socket), "chmod": "0600"}
        config["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        for priority, program in enumerate(programs):
            config[f"program:{program.name}"] = _describe_program(program, priority, logs)
        self._config.touch(mode=0o600)
        with self._config.open("w") as file:
            config.write(file)


def _describe_program(program: Program, priority: int, logs: Path | None) -> dict[str, str]:
    section = {
        # supervisord expands %(...)s and splits like a shell.
        "command": " ".join(_quote(part) for part in program.command),
        "priority": str(priority),
        "autostart": str(program.is_automatic).lower(),
        "autorestart": "true" if program.final_code is None else "unexpected",
        "startsecs": str(STARTED_AFTER_SECONDS),
        "startretries": str(START_RETRIES),
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds),
        "redirect_stderr": "true",
        "stdout_logfile": "/dev/fd/1" if logs is None else str(logs / f"{program.name}.log"),
        "stdout_logfile_maxbytes": "0" if logs is None else LOG_BYTES,
        "stdout_logfile_backups": "2",
    }
    if program.final_code is not None:
        section["exitcodes"] = str(program.final_code)
    if program.environment:
        pairs = (f"{name}={_quote(value)}" for name, value in program.environment.items())
        section["environment"] = ",".join(pairs)
    if program.user:
        section["user"] = program.user
        section["directory"] = "/"
    return section


def _quote(value: str) -> str:
    escaped = value.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _socket_path(folder: Path) -> Path:
    # A socket's path has at most 107 bytes, so it cannot lie under a long home.
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    parent = Path(tempfile.gettempdir()) / f"gistmill-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise ServerStartError(f"{parent} belongs to somebody else; set TMPDIR to a folder of yours")
    return parent / f"{digest}.sock"
