"""Followers of a batch share one poll of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

from gistmill.http import progress
from gistmill.http.events import list_events
from gistmill.http.progress import ProgressHub
from models.errors import UnknownIdError
from producer.watch import Outage, WatchEvent


def poll_from(results: Iterator[WatchEvent | Exception]) -> Callable[[UUID], WatchEvent]:
    def poll(_: UUID) -> WatchEvent:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    return poll


async def follow_twice(hub: ProgressHub, batch_id: UUID) -> WatchEvent | None:
    """Follow a batch that is polled no longer while its first follower is slow, and return the first state."""
    slow = hub.follow(batch_id)
    await anext(slow)
    while not hub._followed[batch_id].has_ended:
        await asyncio.sleep(0.01)
    second = hub.follow(batch_id)
    found = await anext(second)
    await second.aclose()
    await slow.aclose()
    return found


def test_a_new_follower_gets_a_fresh_state_though_a_slow_one_keeps_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0)
    later = iter([Outage("first"), LookupError("the batch is gone"), Outage("fresh"), Outage("more")])

    assert asyncio.run(follow_twice(ProgressHub(poll_from(later)), uuid4())) == Outage("fresh")


async def collect_events(hub: ProgressHub) -> list[bytes]:
    return [event async for event in list_events(hub, uuid4())]


def test_the_events_of_a_batch_end_when_it_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0)
    results = iter([UnknownIdError("there is no batch; it may have been deleted")])

    assert asyncio.run(collect_events(ProgressHub(poll_from(results)))) == []
