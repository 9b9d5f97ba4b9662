"""Child process of a launcher with its own children: output, readiness, hang, and an end that leaves none behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
import psutil

from workers.started_server import StartedServer

# Lines that are kept to find the reason of a failure in.
KEPT_LINES = 400
# Seconds between two health checks, and until one counts as not answered.
CHECK_SECONDS = 1.0
# Seconds from SIGTERM to SIGKILL; its requests have ended before, with the workers.
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1
# Metrics of vLLM.
RUNNING = "vllm:num_requests_running"
TOKENS = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """Progress of a server.

    Args:
        running: requests in the batch.
        tokens: of all prompts and generations so far.
    """

    running: float
    tokens: float


class ServerProcess:
    """Server in a process group of its own.

    Args:
        command: command line.
        started: file for its process id and its readiness.
        environment: variables besides those of this process.
        address: scheme, host and port.
        hang_seconds: time without an answer to health checks after which it is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        started: StartedServer,
        *,
        environment: Mapping[str, str],
        address: str,
        hang_seconds: float,
    ) -> None:
        self.was_ready = False
        self.is_stopping = False
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._command = command
        self._started = started
        self._environment = environment
        self._address = address
        self._hang_seconds = hang_seconds
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> int:
        """Run the server to its end, and return its exit code; SIGTERM and SIGINT end it."""
        end_leftover(self._started)
        process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self._process = process
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        self._started.write(pid=process.pid, created=read_start(process.pid))
        threading.Thread(target=self._watch, args=(process,), name="server-health", daemon=True).start()
        output = threading.Thread(target=self._copy_output, args=(process,), name="server-output", daemon=True)
        output.start()
        code = process.wait()
        # Its own children may outlive it, with the memory of the GPU and the pipe.
        kill_group(process.pid)
        output.join()
        return code

    def _copy_output(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.last_lines.append(line.rstrip())
            print(line, end="", flush=True)

    def _stop(self) -> None:
        self.is_stopping = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            timer = threading.Timer(STOP_SECONDS, kill_group, (self._process.pid,))
            timer.daemon = True
            timer.start()

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Record when the server is ready; kill it if it makes no progress after that."""
        last_life, tokens = time.monotonic(), -1.0
        with httpx.Client(trust_env=False, timeout=max(CHECK_SECONDS, self._hang_seconds / 2)) as client:
            while process.poll() is None:
                time.sleep(CHECK_SECONDS)
                progress = self._read_progress(client)
                if progress is None and not self.was_ready:
                    continue
                if progress is not None and not self.was_ready:
                    self.was_ready = True
                    self._started.write(pid=process.pid, created=read_start(process.pid), is_ready=True)
                if progress is not None and (not progress.running or progress.tokens != tokens):
                    last_life, tokens = time.monotonic(), progress.tokens
                if time.monotonic() - last_life > self._hang_seconds:
                    print(f"vLLM made no progress for {self._hang_seconds:.0f} s and is killed", flush=True)
                    kill_group(process.pid)

    def _read_progress(self, client: httpx.Client) -> ServerProgress | None:
        """Return the progress of a healthy server; None if it does not answer."""
        try:
            if not client.get(f"{self._address}/health").is_success:
                return None
            return read_progress(client.get(f"{self._address}/metrics").text)
        except httpx.TransportError:
            return None


def read_progress(metrics: str) -> ServerProgress:
    """Return the progress in the metrics of vLLM, summed over its engines."""
    sums = dict.fromkeys((RUNNING, *TOKENS), 0.0)
    for line in metrics.splitlines():
        name = line.partition("{")[0]
        if name in sums:
            sums[name] += float(line.rpartition(" ")[2])
    return ServerProgress(sums[RUNNING], sum(sums[name] for name in TOKENS))


def end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_group(pid: int) -> None:
    """Kill a process group, if it still exists."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def read_start(pid: int) -> float:
    """Return when a process was started, by which it is told from a later one with the same id; 0 if it has ended."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def end_leftover(started: StartedServer) -> None:
    """Kill the processes of an earlier launcher that was killed itself.

    The kernel has ended the server then, but not the server's children; they still have its process group.
    """
    content = started.read()
    pid, created = content.get("pid"), content.get("created")
    if not isinstance(pid, int) or read_start(pid) not in (0.0, created):
        return
    for process in psutil.process_iter(["pid"]):
        with suppress(ProcessLookupError, PermissionError):
            if process.pid != os.getpid() and os.getpgid(process.pid) == pid:
                os.kill(process.pid, signal.SIGKILL)
