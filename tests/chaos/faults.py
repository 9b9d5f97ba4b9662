"""Everything that can be done to a running cluster, at random."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.chaos.arena import Arena

# Seconds between faults, and how long a server stays away.
PAUSE = (2.0, 5.0)
DOWN = (0.0, 1.5)
FROZEN = (1.0, 6.0)
Fault = Callable[[], None]


class Victim(Protocol):
    """A process, or several that belong together."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""


class Tormentor:
    """Does one random thing to the cluster every few seconds.

    Args:
        arena: the database and the broker.
        workers: started again by somebody else when they end.
        seed: of the choice of faults.
        pause: least and most seconds between two faults.
        frozen: least and most seconds that a process is frozen.
    """

    def __init__(
        self,
        arena: Arena,
        workers: Sequence[Victim],
        *,
        seed: int,
        pause: tuple[float, float] = PAUSE,
        frozen: tuple[float, float] = FROZEN,
    ) -> None:
        self._arena = arena
        self._pause = pause
        self._frozen_seconds = frozen
        self._workers = workers
        self._random = random.Random(seed)
        self._frozen: list[threading.Timer] = []
        self.counts: Counter[str] = Counter()
        self._faults: dict[str, tuple[int, Fault]] = {
            "worker killed": (6, lambda: self._pick().signal(signal.SIGKILL)),
            "every worker killed": (1, self._kill_all),
            "worker frozen": (4, lambda: self._freeze(self._pick())),
            "worker told to end": (3, lambda: self._pick().signal(signal.SIGTERM)),
            "broker killed, data lost": (2, lambda: arena.lose_broker(down=self._random.uniform(*DOWN))),
            "broker killed, data kept": (2, lambda: arena.crash_broker(down=self._random.uniform(*DOWN))),
            "broker frozen": (1, self._freeze_broker),
            "postgres restarted": (2, lambda: arena.restart_postgres(down=self._random.uniform(*DOWN))),
            "postgres crashed": (1, lambda: arena.restart_postgres(signal.SIGQUIT, down=self._random.uniform(*DOWN))),
        }

    def add_engine_server(self, server: Victim, launcher: Victim) -> None:
        """Do things to the engine's server too."""
        self._faults |= {
            "engine server killed": (3, lambda: server.signal(signal.SIGKILL)),
            "engine server frozen": (3, lambda: self._freeze(server)),
            "launcher of the server killed": (1, lambda: launcher.signal(signal.SIGKILL)),
        }

    def run(self, seconds: float, *, has_work: Callable[[], bool]) -> None:
        """Do faults for that long, and for as long as there is work to come."""
        until = time.monotonic() + seconds
        names = list(self._faults)
        weights = [weight for weight, _ in self._faults.values()]
        while time.monotonic() < until or has_work():
            time.sleep(self._random.uniform(*self._pause))
            [name] = self._random.choices(names, weights)
            self._faults[name][1]()
            self.counts[name] += 1

    def stop(self) -> None:
        """Let everything go on that was frozen."""
        for timer in self._frozen:
            timer.join()

    def _pick(self) -> Victim:
        return self._random.choice(self._workers)

    def _kill_all(self) -> None:
        for worker in self._workers:
            worker.signal(signal.SIGKILL)

    def _freeze(self, victim: Victim) -> None:
        victim.signal(signal.SIGSTOP)
        timer = threading.Timer(self._random.uniform(*self._frozen_seconds), victim.signal, [signal.SIGCONT])
        timer.start()
        self._frozen.append(timer)

    def _freeze_broker(self) -> None:
        self._arena.valkey.signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(*DOWN))
        self._arena.valkey.signal(signal.SIGCONT)
