"""Followers of batches: one task polls the database for each followed batch, however many clients follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import UUID

from anyio import to_thread

from producer.status import Snapshot
from producer.watch import WatchEvent, has_ended

# Seconds between two polls of a batch.
INTERVAL = 1.0
# Seconds of silence after which a follower is told that the connection lives.
KEEP_ALIVE = 15.0


class FollowedBatch:
    """The latest state of a batch, and the task that renews it."""

    def __init__(self, poll: Callable[[], WatchEvent]) -> None:
        self.followers = 0
        self._poll = poll
        self._version = 0
        self._latest: WatchEvent | None = None
        self._error: Exception | None = None
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                observed = await to_thread.run_sync(self._poll)
            except Exception as error:  # noqa: BLE001 - the edge of a task; its followers raise the error
                self._error = error
                observed = None
            async with self._changed:
                if observed is None or not _is_equal(observed, self._latest):
                    self._latest, self._version = observed, self._version + 1
                    self._changed.notify_all()
            if observed is None or has_ended(observed):
                return
            await asyncio.sleep(INTERVAL)

    async def wait(self, version: int) -> tuple[int, WatchEvent | None]:
        """Return the version and the state after a version; the same version and None after a time of silence."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._version > version), KEEP_ALIVE)
            except TimeoutError:
                return version, None
        if self._error is not None:
            raise self._error
        return self._version, self._latest

    @property
    def has_ended(self) -> bool:
        """True if its state is renewed no longer: the batch has ended, or its state could not be read."""
        return self._task.done()

    def close(self) -> None:
        """End the task."""
        self._task.cancel()


class ProgressHub:
    """All followed batches of a server.

    Args:
        poll: returns the state of a batch now.
    """

    def __init__(self, poll: Callable[[UUID], WatchEvent]) -> None:
        self._poll = poll
        self._followed: dict[UUID, FollowedBatch] = {}

    async def follow(self, batch_id: UUID) -> AsyncIterator[WatchEvent | None]:
        """Yield the state of a batch now and after each change, until it has ended; None after a time of silence."""
        followed = self._followed.get(batch_id)
        # A slow follower keeps one that has ended, and the batch may have been retried since.
        if followed is None or followed.has_ended:
            followed = self._followed[batch_id] = FollowedBatch(lambda: self._poll(batch_id))
        followed.followers += 1
        version = 0
        try:
            while True:
                version, observed = await followed.wait(version)
                yield observed
                if observed is not None and has_ended(observed):
                    return
        finally:
            followed.followers -= 1
            if not followed.followers:
                followed.close()
                if self._followed.get(batch_id) is followed:
                    del self._followed[batch_id]


def _is_equal(observed: WatchEvent, latest: WatchEvent | None) -> bool:
    """Tell whether nothing but the time has changed."""
    if isinstance(observed, Snapshot) and isinstance(latest, Snapshot):
        return replace(observed, taken_at=latest.taken_at) == latest
    return observed == latest
