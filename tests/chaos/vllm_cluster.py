"""A vLLM server and its workers under the supervisor, as ``gistmill worker --engine vllm`` runs them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from models.settings import VLLM, read_settings
from tests.chaos.scene import QUICK, Scene
from tests.fake_vllm import ROOT
from workers.broker.app import NODE_VARIABLE
from workers.local.launch import plan_processes
from workers.local.supervisor import Supervisor
from workers.started_server import FILE_VARIABLE, StartedServer

# Seconds until the real vLLM serves on a busy CPU.
START_SECONDS = 900


class SupervisedProcess:
    """A program that the supervisor starts again whenever it ends.

    Args:
        supervisor: of the program.
        name: of the program.
    """

    def __init__(self, supervisor: Supervisor, name: str) -> None:
        self._supervisor = supervisor
        self._name = name

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        _, pid = self._supervisor.describe()[self._name]
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class VllmProcesses:
    """All processes of a vLLM server, without the launcher that started it.

    Args:
        started: the file of its launcher.
    """

    def __init__(self, started: StartedServer) -> None:
        self._started = started

    def signal(self, number: signal.Signals) -> None:
        """Send them a signal, if they run."""
        pid = self._started.read().get("pid")
        if pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)


class VllmCluster:
    """One server and workers of one name on it.

    Args:
        scene: the database and the broker.
        python: that has vLLM.
        weights: folder.
        workers: number of them.
        settings: of all processes.
    """

    def __init__(self, scene: Scene, *, python: Path, weights: Path, workers: int, **settings: object) -> None:
        given: dict[str, object] = {
            **QUICK,
            "home": scene.folder,
            "database_url": scene.database_url,
            "broker_url": scene.arena.broker_url,
            "weights": str(weights),
            "verifier": "none",
            "vllm": python,
            **settings,
        }
        environment = {f"GISTMILL_{name.upper()}": str(value) for name, value in given.items()}
        environment |= {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        launcher, worker = plan_processes(
            read_settings(**given, engine=VLLM), (), scene.folder, is_automatic=True, environment=environment
        )
        names = [f"w{number}" for number in range(workers)]
        programs = [
            launcher,
            *(
                replace(worker, name=name, environment=worker.environment | {NODE_VARIABLE: f"{name}@chaos"})
                for name in names
            ),
        ]
        self._scene = scene
        self._supervisor = Supervisor(scene.folder, programs, logs=scene.folder)
        self._server_log = scene.folder / f"{launcher.name}.log"
        self.launcher = SupervisedProcess(self._supervisor, launcher.name)
        self.workers = [SupervisedProcess(self._supervisor, name) for name in names]
        self.server = VllmProcesses(StartedServer(Path(launcher.environment[FILE_VARIABLE])))

    def start(self) -> None:
        """Start all, and wait until every worker serves."""
        self._supervisor.run()
        self._scene.wait_until(
            lambda: self._scene.count("SELECT count(*) FROM workers") >= len(self.workers),
            "every worker serves",
            seconds=START_SECONDS,
        )

    def count_server_starts(self) -> int:
        """Return how often the server has started to serve, by what the real vLLM writes."""
        return self._server_log.read_text(errors="replace").count("Application startup complete")

    def close(self) -> None:
        """End the workers, and then the server."""
        for process in (*self.workers, self.launcher, self.server):
            process.signal(signal.SIGCONT)
        self._supervisor.shutdown()
