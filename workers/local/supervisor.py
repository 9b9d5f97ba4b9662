"""Process supervision: writes supervisord's configuration, starts it and controls it over XML-RPC.

supervisord restarts failed programs with linearly growing pauses, stops all programs in reverse order, and kills those
that do not stop in time.
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

# A program that runs this long has started; one that exits earlier is restarted after a growing pause, whatever its
# exit code. Worker processes never exit earlier by themselves: their imports take longer.
STARTED_AFTER_SECONDS = 1
# Practically unlimited: before the 600th restart the pause is ten minutes.
START_RETRIES = 600
# Seconds for supervisord itself to answer.
READY_SECONDS = 20
LOG_BYTES = "20MB"


@dataclass(frozen=True, slots=True)
class Program:
    """Supervised process.

    Args:
        name: name of the process and of its log file.
        command: command line.
        stop_signal: signal that requests a clean exit.
        stop_seconds: seconds from that signal to the kill.
        environment: environment variables, added to the supervisor's.
        user: account of the process; None for the supervisor's.
        is_automatic: start it with the supervisor instead of by ``Supervisor.start``.
        final_code: exit code after which it is not restarted; None restarts it after any code.
        is_server: other programs wait for it by themselves, and it registers no worker.
    """

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    is_automatic: bool = False
    final_code: int | None = None
    is_server: bool = False


class Supervisor:
    """Private supervisord process, controlled over a socket that only this user can open."""

    def __init__(self, folder: Path, programs: Sequence[Program], *, logs: Path | None) -> None:
        """Write the configuration without starting supervisord.

        Args:
            folder: folder of the configuration.
            programs: supervised processes, in starting order.
            logs: folder of the log files; None forwards every program's output to standard output.
        """
        self._config = folder / "supervisord.conf"
        self._socket = _socket_path(folder)
        self._write_config(programs, logs)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """Command line that runs supervisord in the foreground until every program has exited permanently."""
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
            ServerStartError: it exits, or does not answer in time.
        """
        # In its own session Ctrl-C does not reach it; the parent stops the programs in order.
        self._process = subprocess.Popen(
            self.command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self._call("getState")
            except (OSError, Fault):
                time.sleep(0.05)
            else:
                return
        raise ServerStartError(f"the process supervisor did not start; see {self._config.parent}/logs/supervisord.log")

    def start(self, name: str) -> None:
        """Start one program without waiting until it is ready."""
        self._call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop one program and wait until it has exited."""
        self._call("stopProcess", name, True)

    def describe(self) -> dict[str, tuple[str, int]]:
        """Return each program's state (RUNNING, BACKOFF, ...) and process id."""
        return {row["name"]: (row["statename"], row["pid"]) for row in self._call("getAllProcessInfo")}

    def read_exit_code(self, name: str) -> int:
        """Return the code with which a program last exited, 0 if it never did."""
        return int(self._call("getProcessInfo", name)["exitstatus"])

    def is_alive(self) -> bool:
        """Tell whether supervisord is running."""
        return self._process is not None and self._process.poll() is None

    def shutdown(self) -> None:
        """Stop all programs in reverse order, then supervisord, and wait until it has exited."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

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
        # Quoted, because supervisord expands %(...)s and splits like a shell.
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
    # The path of a Unix socket has at most 107 bytes, and a home may be longer.
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    parent = Path(tempfile.gettempdir()) / f"gistmill-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise ServerStartError(f"{parent} belongs to somebody else; set TMPDIR to a folder of yours")
    return parent / f"{digest}.sock"
