"""The fake worker: a real worker process whose engine needs no weights.

``python -m tests.fake_worker [SECONDS]`` serves by its settings, as an operator's process does, and takes that long for
a step. ``WorkerProcess`` is one that a test ends in every way and starts again; files tell it to wait, hang or die.
"""

from __future__ import annotations

import os
import random
import signal
import sys
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
from models.settings import Settings, read_settings
from tests.fake_engine import FakeGenerator, copy_and_invent
from workers.broker.app import default_node, make_app, run_worker
from workers.generation import FinishReason, Generation, GenerationParams, Prompt
from workers.logs import configure_logs
from workers.service import Served

ROOT = Path(__file__).resolve().parents[1]
# Seconds between looks at a file.
TICK = 0.02
# How the names of files begin that say that a generation waits.
HELD = "held-"
NEVER = threading.Event()
# A text with this word kills the process that generates from it.
POISON = "arsenic"

# Each process is forked from one that has imported everything: a start takes a moment, as with weights of no size.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the engine of a worker behaves.

    Args:
        folder: of the files that switch it: ``hold`` makes generations wait (each says so in a file ``held-...``;
            they can be cancelled), ``hang`` freezes the engine, ``hang-NODE`` that of one worker (it says so in
            ``hung-NODE`` and notices nothing else), ``die_before_ring`` kills the process between a commit and its
            messages, once; with a kind of step in the file, only before the messages of such steps.
        node: its name.
        seconds: least and most that a generation takes.
    """

    folder: Path
    node: str
    seconds: tuple[float, float] = (0.0, 0.0)


class ForgetfulGenerator(FakeGenerator):
    """Keeps no prompts, as nobody reads them in a worker and they would fill its memory."""

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        generation = super().generate(prompt, params, deadline=deadline, cancelled=cancelled)
        self.prompts.clear()
        return generation


class SwitchedGenerator(ForgetfulGenerator):
    """Answers at once, or as its switches say; half of what it writes is true."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(copy_and_invent, seconds=lambda: random.uniform(*behaviour.seconds))
        self._folder = behaviour.folder
        self._node = behaviour.node
        self._hangs = (behaviour.folder / "hang", behaviour.folder / f"hang-{behaviour.node}")
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
        if self._hang():
            cancelled = None
        reason = self._hold(deadline, cancelled)
        if reason is not None:
            return self._end(prompt, "", reason, time.monotonic())
        return super().generate(prompt, params, deadline=deadline, cancelled=cancelled)

    def _hang(self) -> bool:
        """Stand still while a switch says so; return whether one did."""
        while any(switch.exists() for switch in self._hangs):
            self._hung_at = self._hung_at or time.monotonic()
            (self._folder / f"hung-{self._node}").touch()
            time.sleep(TICK)
        has_hung, self._hung_at = self._hung_at is not None, None
        return has_hung

    def _hold(self, deadline: float | None, cancelled: threading.Event | None) -> FinishReason | None:
        """Wait while the switch says so; return what ended the wait before that."""
        mark = self._folder / f"{HELD}{self._node}-{threading.get_ident()}"
        try:
            while (self._folder / "hold").exists():
                mark.touch()
                if (cancelled or NEVER).wait(TICK):
                    return FinishReason.CANCELLED
                if deadline is not None and time.monotonic() > deadline:
                    return FinishReason.DEADLINE
        finally:
            mark.unlink(missing_ok=True)
        return None


class MortalDoorbell(CeleryPublisher):
    """Dies between a commit and its messages when its switch is there; a signal cannot hit that moment."""

    switch = Path()

    def publish(self, step_messages: Iterable[StepMessage]) -> int:
        step_messages = list(step_messages)
        if step_messages and self.switch.exists() and self.switch.read_text() in ("", step_messages[0].kind):
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
    generator = SwitchedGenerator(behaviour)
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

    def wait(self, seconds: float = 180) -> int | None:
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


def describe_command(*arguments: str, **environment: str) -> list[str]:
    """Return the command line of a Python process with settings of its own, wherever it is started."""
    settings = [f"GISTMILL_{name.upper()}={value}" for name, value in environment.items()]
    return ["env", f"--chdir={ROOT}", "GISTMILL_METRICS_PORT=0", *settings, sys.executable, *arguments]


def load_fake(_: Settings) -> Served:
    """Return an engine that takes as long for a step as the command line says."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    generator = ForgetfulGenerator(seconds=lambda: seconds)
    return Served(generator, device="cpu", seconds_since_progress=lambda: 0.0, close=lambda: None)


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings()
    configure_logs(settings)
    run_worker(make_app(settings, load_fake), node=default_node())


if __name__ == "__main__":
    main()
