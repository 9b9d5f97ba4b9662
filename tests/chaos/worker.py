"""A worker process with an engine that needs no weights; files tell it to wait, to hang or to die."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import workers.service
from models.publisher import CeleryPublisher
from models.queues import StepMessage
from models.settings import Settings
from tests.fake_engine import FakeGenerator
from workers.broker.app import make_app, run_worker
from workers.generation import FinishReason, Generation, GenerationParams, Prompt
from workers.logs import configure_logs
from workers.service import Served

# Seconds between looks at a file.
TICK = 0.02
# A text with this word kills the process that generates from it.
POISON = "arsenic"

# Each process is forked from one that has imported everything: a start takes a moment, as with weights of no size.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the engine of a worker behaves.

    Args:
        folder: of the files that switch it: ``hold`` makes generations wait (it says so in ``held-NODE``; they can be
            cancelled), ``hang`` freezes the engine, ``hang-NODE`` that of one worker (it says so in ``hung-NODE`` and
            notices nothing else), ``die_before_ring`` kills the process between a commit and its messages, once.
        node: its name.
        seconds: least and most that a generation takes.
    """

    folder: Path
    node: str
    seconds: tuple[float, float] = (0.0, 0.0)


class Generator(FakeGenerator):
    """Answers at once, or as its switches say."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(seconds=lambda: random.uniform(*behaviour.seconds))
        self._folder = behaviour.folder
        self._hangs = (behaviour.folder / "hang", behaviour.folder / f"hang-{behaviour.node}")
        self._mark = behaviour.folder / f"hung-{behaviour.node}"
        self._held_mark = behaviour.folder / f"held-{behaviour.node}"
        self._hung_at: float | None = None

    def seconds_since_progress(self) -> float:
        return 0.0 if self._hung_at is None else time.monotonic() - self._hung_at

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        if POISON in prompt.text:
            os.kill(os.getpid(), signal.SIGKILL)
        while any(switch.exists() for switch in self._hangs):
            self._hung_at = self._hung_at or time.monotonic()
            self._mark.touch()
            cancelled = None
            time.sleep(TICK)
        self._hung_at = None
        while (self._folder / "hold").exists():
            self._held_mark.touch()
            if cancelled is not None and cancelled.wait(TICK):
                return self._end(prompt, "", FinishReason.CANCELLED, time.monotonic())
            if deadline is not None and time.monotonic() > deadline:
                return self._end(prompt, "", FinishReason.DEADLINE, time.monotonic())
        generation = super().generate(prompt, params, deadline=deadline, cancelled=cancelled)
        self.prompts.clear()
        return generation


class MortalDoorbell(CeleryPublisher):
    """Dies between a commit and its messages when its switch is there; a signal cannot hit that moment."""

    switch = Path()

    def publish(self, step_messages: Iterable[StepMessage]) -> int:
        step_messages = list(step_messages)
        if step_messages and self.switch.exists():
            self.switch.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().publish(step_messages)


def serve(settings: dict[str, object], behaviour: Behaviour, log: Path) -> None:
    """Run one worker process to its end."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    MortalDoorbell.switch = behaviour.folder / "die_before_ring"
    workers.service.CeleryPublisher = MortalDoorbell  # type: ignore[misc]
    read = Settings(**settings)  # type: ignore[arg-type]
    configure_logs(read)
    generator = Generator(behaviour)
    app = make_app(read, lambda _: Served(generator, "fake", generator.seconds_since_progress, lambda: None))
    run_worker(app, node=f"{behaviour.node}@chaos")


class WorkerProcess:
    """One worker that can be ended in every way and started again."""

    def __init__(self, settings: dict[str, object], behaviour: Behaviour) -> None:
        self._arguments = (settings, behaviour, behaviour.folder / f"{behaviour.node}.log")
        self._process: BaseProcess | None = None
        self.starts = 0

    def start(self) -> None:
        """Start it anew."""
        self._process = CONTEXT.Process(target=serve, args=self._arguments, daemon=True)
        self._process.start()
        self.starts += 1

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._process is not None and self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)

    def wait(self, seconds: float = 30) -> int | None:
        """Wait for its end and return its exit code; negative for the signal that ended it."""
        assert self._process is not None
        self._process.join(seconds)
        return self._process.exitcode

    def end(self) -> None:
        """Kill it."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self.wait()
