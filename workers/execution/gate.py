"""Isolation of steps that are suspected of killing their process: each runs alone, all others concurrently."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Shared/exclusive lock; a waiting exclusive holder precedes later shared ones."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._shared = 0
        self._waiting_alone = 0
        self._is_alone = False

    @contextmanager
    def enter(self, *, is_alone: bool) -> Iterator[None]:
        """Hold the lock for the length of a block, exclusively if alone."""
        if is_alone:
            self._enter_alone()
        else:
            self._enter_shared()
        try:
            yield
        finally:
            self._leave(is_alone=is_alone)

    def _enter_alone(self) -> None:
        with self._condition:
            self._waiting_alone += 1
            self._condition.wait_for(lambda: not self._is_alone and self._shared == 0)
            self._waiting_alone -= 1
            self._is_alone = True

    def _enter_shared(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self._is_alone and self._waiting_alone == 0)
            self._shared += 1

    def _leave(self, *, is_alone: bool) -> None:
        with self._condition:
            if is_alone:
                self._is_alone = False
            else:
                self._shared -= 1
            self._condition.notify_all()
