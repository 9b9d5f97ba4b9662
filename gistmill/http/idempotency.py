"""Requests that may be repeated under a key: a repetition has the answer of the first one, and does nothing.

A request that failed leaves its key free. One that is under way for longer than its lease was lost with its server;
a repetition takes it over, which is safe because submissions themselves create nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import Header
from pydantic import TypeAdapter
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gistmill.http.errors import RequestError
from gistmill.http.services import Services
from models.base import Json
from models.webhook import IdempotencyKey
from producer.sources.given import NamedFile

Answer = TypeVar("Answer")
# Time after which a request without an answer counts as lost.
LEASE = timedelta(seconds=60)
# Time for which an answer is kept.
KEPT = timedelta(days=7)
RETRY_SECONDS = 5
RepeatKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="A text of your own: a request that is repeated with it has the first one's answer.",
    ),
]


def run_once(
    services: Services,
    key: str | None,
    request: str,
    run: Callable[[], Answer],
    kind: type[Answer],
) -> Answer:
    """Run a request, unless it was run before under its key.

    Args:
        services: of this server.
        key: key of the request; None runs it in any case.
        request: digest of the request.
        run: runs it.
        kind: type of its answer.

    Raises:
        RequestError: the key belongs to another request, or to one that is under way.
    """
    if key is None:
        return run()
    adapter: TypeAdapter[Answer] = TypeAdapter(kind)
    with services.open_transaction() as session:
        taken = _begin(session, key, request)
    if not isinstance(taken, datetime):
        return adapter.validate_python(taken)
    # A repetition that has taken the key over since has another time.
    is_ours = (IdempotencyKey.key == key) & (IdempotencyKey.created_at == taken)
    try:
        answer = run()
    except BaseException:
        with services.open_transaction() as session:
            session.execute(delete(IdempotencyKey).where(is_ours))
        raise
    with services.open_transaction() as session:
        values = adapter.dump_python(answer, mode="json")
        session.execute(update(IdempotencyKey).where(is_ours).values(answer=values))
    return answer


def _begin(session: Session, key: str, request: str) -> Json | datetime:
    """Return the answer that a key has, or take it for a request and return the time of that."""
    row = insert(IdempotencyKey).values(key=key, request=request).on_conflict_do_nothing()
    taken: datetime | None = session.scalar(row.returning(IdempotencyKey.created_at))
    if taken is not None:
        return taken
    found = session.scalars(select(IdempotencyKey).where(IdempotencyKey.key == key).with_for_update()).one_or_none()
    if found is not None and found.request != request:
        raise RequestError(
            422, "this Idempotency-Key belongs to another request; give each request its own", code="key_in_use"
        )
    if found is not None and found.answer is not None:
        return found.answer
    is_fresh = IdempotencyKey.created_at > func.now() - LEASE
    if found is None or session.scalar(select(is_fresh).where(IdempotencyKey.key == key)):
        raise RequestError(
            409,
            f"a request with this Idempotency-Key is under way; repeat it in {RETRY_SECONDS} seconds",
            code="under_way",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    take_over = update(IdempotencyKey).where(IdempotencyKey.key == key).values(created_at=func.now())
    return session.scalars(take_over.returning(IdempotencyKey.created_at)).one()


def digest_request(path: str, body: object, files: Sequence[NamedFile] = ()) -> str:
    """Return the digest of a request: its path, its body and the names and contents of its files."""
    digest = hashlib.sha256(json.dumps([path, body], sort_keys=True, default=str).encode())
    for file in files:
        with file.path.open("rb") as stream:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def delete_old_keys(database: Engine) -> None:
    """Delete the answers that nobody has asked for again."""
    with Session(database) as session, session.begin():
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - KEPT))
