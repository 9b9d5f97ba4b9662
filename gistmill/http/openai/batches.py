"""Routes of batches of chat requests, and of the weights that they may name."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID, uuid4, uuid5

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.orm import Session

from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.idempotency import RepeatKey, digest_request, run_once
from gistmill.http.openai.files import require_file
from gistmill.http.openai.objects import (
    BATCH_PREFIX,
    BatchObject,
    ModelObject,
    ObjectList,
    describe_batch,
    describe_list,
    parse_id,
)
from gistmill.http.requests import RequestBody
from gistmill.http.services import Services, Shared
from models.chat import ChatBatch
from models.files import FilePurpose
from models.registry import list_known_names
from producer.chat.batches import create_chat_batch, list_chat_batches, request_cancel
from producer.chat.lines import is_storable
from producer.chat.output import count_requests
from producer.intake import BATCH_NAMESPACE

router = APIRouter(prefix="/v1", tags=["OpenAI's batches"])
REFUSALS = describe_responses(404)


def check_storable(text: str) -> str:
    """Return a text that the database can store.

    Raises:
        ValueError: it holds NUL characters.
    """
    if not is_storable(text):
        raise ValueError("holds NUL characters; leave them out")
    return text


Key = Annotated[str, StringConstraints(max_length=64), AfterValidator(check_storable)]
Value = Annotated[str, StringConstraints(max_length=512), AfterValidator(check_storable)]


class BatchBody(RequestBody):
    """A batch to create."""

    input_file_id: Annotated[str, StringConstraints(max_length=100)]
    endpoint: Literal["/v1/chat/completions"]
    completion_window: Annotated[str, StringConstraints(max_length=10)] = Field(
        description="Time in which the batch must end, in hours: 24h. What has no answer by then never gets one."
    )
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] | None = None


@router.post("/batches", responses=describe_responses(404, 409, 413))
def create_batch(services: Shared, body: BatchBody, key: RepeatKey = None) -> BatchObject:
    """Create a batch of the requests in a file; each becomes a job of its own."""
    request = digest_request("/v1/batches", body.model_dump(mode="json"))
    # Derived, so that a repetition that takes over from a lost request creates no second batch.
    batch_id = uuid4() if key is None else uuid5(BATCH_NAMESPACE, f"{key} {request}")
    return run_once(services, key, request, lambda: _create(services, batch_id, body), BatchObject)


@router.get("/batches", responses=REFUSALS)
def read_batches(
    services: Shared,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> ObjectList[BatchObject]:
    """List the batches of chat requests, the newest first."""
    with services.connection.open_session() as session:
        place = None if after is None else require_chat_batch(session, after)
        found = list_chat_batches(session, limit=limit + 1, after=place)
        return describe_list(_describe(session, *found), limit=limit)


@router.get("/batches/{batch_id}", responses=REFUSALS)
def read_batch(services: Shared, batch_id: str) -> BatchObject:
    """Return the state of a batch."""
    with services.connection.open_session() as session:
        return _describe(session, require_chat_batch(session, batch_id))[0]


@router.post("/batches/{batch_id}/cancel", responses=describe_responses(404, 409))
def cancel_batch(services: Shared, batch_id: str) -> BatchObject:
    """Cancel a batch; requests that have an answer keep it."""
    with services.open_transaction() as session:
        batch = require_chat_batch(session, batch_id)
        if not request_cancel(session, batch.id):
            raise RequestError(409, f"batch {batch_id} is {batch.status}, so there is nothing to cancel")
        session.refresh(batch)
        return _describe(session, batch)[0]


@router.get("/models")
def read_models(services: Shared) -> ObjectList[ModelObject]:
    """List the weights that requests may name as their model."""
    with services.connection.open_session() as session:
        names = sorted(list_known_names(session))
    return describe_list([ModelObject(id=name) for name in names], limit=len(names))


def require_chat_batch(session: Session, batch_id: str) -> ChatBatch:
    """Return a batch.

    Raises:
        RequestError: there is no such batch.
    """
    found: UUID = parse_id(batch_id, BATCH_PREFIX)
    batch = session.get(ChatBatch, found)
    if batch is None:
        raise RequestError(404, f"there is no batch {batch_id!r}; GET /v1/batches lists them", param="batch_id")
    return batch


def _describe(session: Session, *batches: ChatBatch) -> list[BatchObject]:
    counts = count_requests(session, batches)
    return [describe_batch(batch, counts[batch.id]) for batch in batches]


def _create(services: Services, batch_id: UUID, body: BatchBody) -> BatchObject:
    with services.open_transaction() as session:
        file = require_file(session, body.input_file_id)
        if file.purpose != FilePurpose.BATCH:
            raise RequestError(422, "this file is the output of a batch; give one of requests", param="input_file_id")
        batch = create_chat_batch(
            session,
            batch_id,
            file,
            endpoint=body.endpoint,
            window=body.completion_window,
            labels=body.metadata,
        )
        return _describe(session, batch)[0]
