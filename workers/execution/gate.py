"""Lets steps run together, except one that is suspected of killing its process: that one runs alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A shared/exclusive lock; who waits to be alone goes before those who come later."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._waiting_alone = 0
        self._is_alone = False

    @contextmanager
    def enter(self, *, is_alone: bool) -> Iterator[None]:
        """Hold the gate for the length of a block, together with others or alone."""
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
            self._condition.wait_for(lambda: not self._is_alone and self._sharing == 0)
            self._waiting_alone -= 1
            self._is_alone = True

    def _enter_shared(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self._is_alone and self._waiting_alone == 0)
            self._sharing += 1

    def _leave(self, *, is_alone: bool) -> None:
        with self._condition:
            if is_alone:
                self._is_alone = False
            else:
                self._sharing -= 1
            self._condition.notify_all()
