"""Route of progress as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from gistmill.http.batches import require_batch
from gistmill.http.errors import describe_responses
from gistmill.http.progress import ProgressHub
from gistmill.http.services import Shared
from models.errors import UnknownIdError
from producer.status import Snapshot
from producer.watch import Outage, WatchEvent, has_ended

router = APIRouter(prefix="/api", tags=["batches"])
SNAPSHOT = TypeAdapter(Snapshot)
OUTAGE = TypeAdapter(Outage)
DESCRIPTION = (
    "Events `progress` with the state of the batch as in GET /api/batches/{batch_id}, now and after each change; "
    "`outage` while the database does not answer; `end`, with the last state, when every job and check has ended."
)
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": DESCRIPTION}
}


@router.get(
    "/batches/{batch_id}/events",
    response_class=StreamingResponse,
    responses={**STREAM, **describe_responses(404)},
)
async def follow_batch(services: Shared, batch_id: UUID) -> StreamingResponse:
    """Follow the progress of a batch until it has ended."""
    await to_thread.run_sync(require_batch, services, batch_id)
    return StreamingResponse(
        list_events(services.hub, batch_id), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def list_events(hub: ProgressHub, batch_id: UUID) -> AsyncIterator[bytes]:
    """Yield the events of a batch until it has ended or is deleted."""
    # A client that connects again is told that a deleted batch is not there.
    with suppress(UnknownIdError):
        async for observed in hub.follow(batch_id):
            yield b": still here\n\n" if observed is None else format_event(observed)


def format_event(observed: WatchEvent) -> bytes:
    """Return the state of a batch as a server-sent event."""
    if isinstance(observed, Outage):
        return b"event: outage\ndata: " + OUTAGE.dump_json(observed) + b"\n\n"
    name = b"end" if has_ended(observed) else b"progress"
    return b"event: " + name + b"\ndata: " + SNAPSHOT.dump_json(observed) + b"\n\n"
