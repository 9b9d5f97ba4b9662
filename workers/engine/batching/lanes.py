"""Parallel generation loops over the same weights, which divide the requests and a CPU's cores among them.

Between its matrix products a forward pass runs Python and small operations on one core; the second loop uses the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from transformers import ContinuousBatchingConfig

from workers.engine.batching.loop import GenerationLoop, LoopState
from workers.engine.batching.request import Request

# Builds a loop from its sizes and a callable that returns its thread count for the next forward pass.
BuildLoop = Callable[[ContinuousBatchingConfig, Callable[[], int]], GenerationLoop]


class Lanes:
    """Assigns each request to the loop with the fewest; ``submit`` may be called from any thread.

    Args:
        build: builds one loop.
        sizes: batch and cache settings of each loop.
        threads: compute threads of all loops together on a CPU; a loop that runs alone has them all.

    Raises:
        MemoryError: the caches do not fit the device.
    """

    def __init__(self, build: BuildLoop, sizes: Sequence[ContinuousBatchingConfig], *, threads: int) -> None:
        self._threads = threads
        self._submit_lock = threading.Lock()
        self.loops: Sequence[GenerationLoop] = [
            build(size, partial(self._share_threads, index)) for index, size in enumerate(sizes)
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
        with self._submit_lock:
            min(self.loops, key=lambda loop: len(loop.live)).submit(request)

    def close(self) -> None:
        """End the loops and fail all pending requests."""
        # The first loop may have changed the attention of the weights for all, and restores it when it closes.
        for loop in reversed(self.loops):
            loop.close()

    def seconds_since_progress(self) -> float:
        """Return the seconds since the last heartbeat, of the loop where it is oldest."""
        return max(loop.seconds_since_progress() for loop in self.loops)

    def read_state(self) -> LoopState:
        """Return the sums over all loops, and the fullest cache; the numbers may be of different steps."""
        states = [loop.read_state() for loop in self.loops]
        return LoopState(
            waiting=sum(state.waiting for state in states),
            running=sum(state.running for state in states),
            batch_size=sum(state.batch_size for state in states),
            cache_used=max(state.cache_used for state in states),
            age=max(state.age for state in states),
        )

    def _share_threads(self, index: int) -> int:
        busy = max(sum(1 for loop in self.loops if loop.live), 1)
        return max(self._threads // busy + (index < self._threads % busy), 1)
