"""Group commit: calls of concurrent threads share one statement, and so its round trip, its commit and its Python.

The calls that arrive while one runs form the next group; one of their threads runs it for all of them. A call after a
quiet moment begins at once. While calls follow each other, each group waits for further ones a little longer than a
call takes to arrive: a group of four costs little more than a single call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from models.lock_wait import GROUP_WAIT, NO_LIMIT

# SQLSTATE of a wait for a lock that took too long.
LOCKED_STATE = "55P03"
# Seconds after a group in which the next one is expected to have company, and that it then waits for it.
BUSY_SECONDS = 0.01
GATHERING_SECONDS = 0.002

T = TypeVar("T")
R = TypeVar("R")


class _Call(Generic[T, R]):
    """One call that waits for its result, or for its turn to run the next group."""

    __slots__ = ("has_ended", "item", "result", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.has_ended = False
        # None if the group failed.
        self.result: tuple[R] | None = None
        # Released to wake the thread.
        self.turn = threading.Lock()
        self.turn.acquire()


class GroupCommit(Generic[T, R]):
    """Runs calls in groups; thread-safe.

    Args:
        run: runs a group in one transaction, which may wait for a row lock as long as its second argument says, and
            returns the results in order.
    """

    def __init__(self, run: Callable[[Sequence[T], str], Sequence[R]]) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._is_busy = False
        self._waiting: list[_Call[T, R]] = []
        self._ended_at = 0.0

    def call(self, item: T) -> R:
        """Run a call, with others or alone, and return its result.

        A group that fails has changed nothing. If it has several calls, or waited too long for a lock, each call is run
        alone, beside the next group, so that an error is raised only where it belongs, and a locked row stops only
        those who need it.
        """
        call = _Call[T, R](item)
        with self._lock:
            self._waiting.append(call)
            is_free, self._is_busy = not self._is_busy, True
        if not is_free:
            call.turn.acquire()
        if not call.has_ended:
            self._run_waiting()
        return self._run([item], NO_LIMIT)[0] if call.result is None else call.result[0]

    def _run_waiting(self) -> None:
        if time.monotonic() - self._ended_at < BUSY_SECONDS:
            time.sleep(GATHERING_SECONDS)
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            results = self._run([call.item for call in group], GROUP_WAIT)
            for call, result in zip(group, results, strict=True):
                call.result = (result,)
        except DBAPIError as error:
            if len(group) == 1 and getattr(error.orig, "sqlstate", None) != LOCKED_STATE:
                raise
        finally:
            self._end(group)

    def _end(self, group: Sequence[_Call[T, R]]) -> None:
        self._ended_at = time.monotonic()
        for call in group:
            call.has_ended = True
            call.turn.release()
        with self._lock:
            self._is_busy = bool(self._waiting)
            if self._is_busy:
                self._waiting[0].turn.release()
