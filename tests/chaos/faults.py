"""Everything that can be done to a running cluster, at random."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.chaos.arena import Arena
from tests.fake_worker import WorkerProcess

# Seconds between faults, and how long a server stays away.
PAUSE = (2.0, 5.0)
DOWN = (0.0, 1.5)
# Longer than a lease of the soak, so that frozen workers come back as zombies.
FROZEN = (1.0, 6.0)


class Tormentor:
    """Does one random thing to the cluster every few seconds."""

    def __init__(self, arena: Arena, workers: Sequence[WorkerProcess], *, seed: int) -> None:
        self._arena = arena
        self._workers = workers
        self._random = random.Random(seed)
        self._frozen: list[threading.Timer] = []
        self.counts: Counter[str] = Counter()
        self._faults: dict[str, tuple[int, Callable[[], None]]] = {
            "worker killed": (6, lambda: self._pick().signal(signal.SIGKILL)),
            "every worker killed": (1, self._kill_all),
            "worker frozen": (4, self._freeze),
            "worker told to end": (3, lambda: self._pick().signal(signal.SIGTERM)),
            "broker killed, data lost": (2, lambda: arena.lose_broker(down=self._random.uniform(*DOWN))),
            "broker killed, data kept": (2, lambda: arena.crash_broker(down=self._random.uniform(*DOWN))),
            "broker frozen": (1, self._freeze_broker),
            "postgres restarted": (2, lambda: arena.restart_postgres(down=self._random.uniform(*DOWN))),
            "postgres crashed": (1, lambda: arena.restart_postgres(signal.SIGQUIT, down=self._random.uniform(*DOWN))),
        }

    def run(self, seconds: float, *, has_work: Callable[[], bool]) -> None:
        """Do faults for that long, and for as long as there is work to come."""
        until = time.monotonic() + seconds
        names = list(self._faults)
        weights = [weight for weight, _ in self._faults.values()]
        while time.monotonic() < until or has_work():
            time.sleep(self._random.uniform(*PAUSE))
            [name] = self._random.choices(names, weights)
            self._faults[name][1]()
            self.counts[name] += 1

    def stop(self) -> None:
        """Let everything go on that was frozen."""
        for timer in self._frozen:
            timer.join()

    def _pick(self) -> WorkerProcess:
        return self._random.choice(self._workers)

    def _kill_all(self) -> None:
        for worker in self._workers:
            worker.signal(signal.SIGKILL)

    def _freeze(self) -> None:
        worker = self._pick()
        worker.signal(signal.SIGSTOP)
        timer = threading.Timer(self._random.uniform(*FROZEN), worker.signal, [signal.SIGCONT])
        timer.start()
        self._frozen.append(timer)

    def _freeze_broker(self) -> None:
        self._arena.valkey.signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(*DOWN))
        self._arena.valkey.signal(signal.SIGCONT)
