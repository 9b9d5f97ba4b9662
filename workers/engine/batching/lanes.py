"""Generation loops side by side over the same weights, each with a part of the requests and of a CPU's cores.

What is between the products of a pass, Python and small operations, uses one core however many there are. Beside it the
other loop computes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from transformers import ContinuousBatchingConfig

from workers.engine.batching.loop import GenerationLoop, LoopState
from workers.engine.batching.request import Request

# Makes a loop of a size, which asks before each pass how many threads it may compute with.
BuildLoop = Callable[[ContinuousBatchingConfig, Callable[[], int]], GenerationLoop]


class Lanes:
    """Runs each request in the loop that has the fewest, to its end; ``submit`` may be called from any thread.

    Args:
        build: makes one loop.
        sizes: of the loops.
        threads: of all of them together, to compute with on a CPU; a loop that works alone has them all.

    Raises:
        MemoryError: the caches do not fit the device.
    """

    def __init__(self, build: BuildLoop, sizes: Sequence[ContinuousBatchingConfig], *, threads: int) -> None:
        self._threads = threads
        self._choosing = threading.Lock()
        self.loops: Sequence[GenerationLoop] = [
            build(size, partial(self._share_threads, place)) for place, size in enumerate(sizes)
        ]

    def start(self) -> None:
        """Start the background threads."""
        for loop in self.loops:
            loop.start()

    def submit(self, request: Request) -> None:
        """Queue a request; its future gets the outcome.

        Raises:
            EngineStoppedError: a loop has ended.
        """
        for loop in self.loops:
            loop.check_running()
        with self._choosing:
            min(self.loops, key=lambda loop: len(loop.live)).submit(request)

    def close(self) -> None:
        """End the loops and fail whatever still waits."""
        # The first one may have changed the attention of the weights for all of them, and takes it back.
        for loop in reversed(self.loops):
            loop.close()

    def seconds_since_progress(self) -> float:
        """Return the age in seconds of the last sign of life of the loop that has given none for longest."""
        return max(loop.seconds_since_progress() for loop in self.loops)

    def read_state(self) -> LoopState:
        """Return what all loops are doing now, of their caches the fuller; the numbers may be of different passes."""
        states = [loop.read_state() for loop in self.loops]
        return LoopState(
            waiting=sum(state.waiting for state in states),
            running=sum(state.running for state in states),
            batch_size=sum(state.batch_size for state in states),
            cache_used=max(state.cache_used for state in states),
            age=max(state.age for state in states),
        )

    def _share_threads(self, place: int) -> int:
        busy = max(sum(1 for loop in self.loops if loop.live), 1)
        return max(self._threads // busy + (place < self._threads % busy), 1)
