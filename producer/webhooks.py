"""Webhooks: signed calls when a batch has ended, delivered from their rows with retries, as Standard Webhooks has them.

A call may be made twice, with the same ``webhook-id``: a server that dies between the call and its record calls again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import Engine, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.checks import is_being_checked
from models.job import OPEN_STATES, Job
from models.lookup import read_batch
from models.session import explain_outage
from models.webhook import Webhook, WebhookState
from producer.errors import SourceError, SourceUsageError, UnreadableError, WebhookError
from producer.sources.pages import pin_request, run_to_end

if TYPE_CHECKING:
    import httpx

# Seconds before each further attempt, as Standard Webhooks recommends; after the last one the webhook has failed.
PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# Time after which a call that was begun counts as lost with its server.
LEASE = timedelta(seconds=60)
# Seconds for one call.
CALL_SECONDS = 15.0
# The receiver says that it is gone for good.
GONE = 410
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
# As many bytes as a secret without the prefix has characters.
MIN_KEY_BYTES = 16
EVENT = "batch.ended"


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """How webhooks are called.

    Args:
        key: key of the signatures.
        allow_private: call addresses of this machine and of private networks.
    """

    key: bytes
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class DueWebhook:
    """A webhook whose batch has ended, with the number of this call and its body."""

    id: UUID
    url: str
    attempts: int
    body: bytes


def add_webhook(session: Session, batch_id: UUID, url: str, *, has_new_jobs: bool) -> None:
    """Register an address for the end of a batch; the caller commits.

    Args:
        session: the caller commits.
        batch_id: id of the batch.
        url: address to call.
        has_new_jobs: call an address again that was called for an earlier end of the batch.
    """
    row = insert(Webhook).values(id=uuid4(), batch_id=batch_id, url=url, state=WebhookState.WAITING)
    if not has_new_jobs:
        session.execute(row.on_conflict_do_nothing())
        return
    again = {"id": row.excluded.id, "state": row.excluded.state, "attempts": 0, "error": None}
    session.execute(
        row.on_conflict_do_update(
            index_elements=["batch_id", "url"], set_={**again, "available_at": func.now(), "delivered_at": None}
        )
    )


def register_webhook(database: Engine, batch_id: UUID, url: str, *, has_new_jobs: bool) -> None:
    """Register an address as ``add_webhook`` does, in a transaction of its own."""
    with explain_outage(database), Session(database) as session, session.begin():
        add_webhook(session, batch_id, url, has_new_jobs=has_new_jobs)


def check_address(url: str, *, allow_private: bool) -> None:
    """Refuse an address that may not be called; one whose host has no address now is tried later.

    Raises:
        WebhookError: the address is invalid, or leads to a private network.
    """
    import httpx

    try:
        run_to_end(_make_request(httpx.URL(url), b"", {}, allow_private=allow_private))
    except UnreadableError:
        return
    except (SourceUsageError, httpx.InvalidURL, UnicodeError) as error:
        raise WebhookError(
            f"the webhook {_shorten(error)}; give a public address of http or https, or set GISTMILL_WEBHOOK_PRIVATE"
        ) from error


def deliver_webhooks(database: Engine, policy: WebhookPolicy, *, stopping: threading.Event | None = None) -> None:
    """Call the addresses whose batches have ended, one after the other, and record what became of the calls.

    Args:
        database: the results database.
        policy: how they are called.
        stopping: ends it after the call that is under way.
    """
    while not (stopping and stopping.is_set()):
        # One at a time: the lease of a second one would run out while the first receiver is slow.
        due = _claim_due(database)
        if due is None:
            return
        try:
            call_address(due, policy)
        except WebhookError as error:
            _record_failure(database, due, error)
        else:
            _record(database, due, state=WebhookState.DELIVERED, delivered_at=func.now(), error=None)


def describe_end(session: Session, batch_id: UUID) -> bytes:
    """Return the body of the call about a batch: its counts, and no text of a document."""
    progress = read_batch(session, batch_id)
    names = ("jobs", "succeeded", "partial", "failed", "cancelled", "need_review")
    data = {"batch_id": str(batch_id), "batch": progress.batch} | {name: getattr(progress, name) for name in names}
    data["finished_at"] = progress.finished_at.isoformat() if progress.finished_at else None
    event = {"type": EVENT, "timestamp": datetime.now(UTC).isoformat(), "data": data}
    return json.dumps(event, ensure_ascii=False).encode()


def sign(message_id: str, timestamp: int, body: bytes, key: bytes) -> str:
    """Return the signature of a call: HMAC-SHA256 over its id, its time and its body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def read_secret(secret: str) -> bytes:
    """Return the key in a secret: base64 behind ``whsec_``, else the text itself.

    Raises:
        WebhookError: it is not base64, or too short.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise WebhookError("GISTMILL_WEBHOOK_SECRET is not base64 behind whsec_; make one of another secret") from None
    if len(key) < MIN_KEY_BYTES:
        raise WebhookError(
            f"GISTMILL_WEBHOOK_SECRET holds {len(key)} bytes in base64; give {MIN_KEY_BYTES} or more, such as "
            "whsec_ and the output of `openssl rand -base64 24`"
        )
    return key


def call_address(due: DueWebhook, policy: WebhookPolicy) -> None:
    """Call an address once; redirects are not followed.

    Raises:
        WebhookError: the call failed.
    """
    import httpx

    message_id, now = f"msg_{due.id.hex}", int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "gistmill",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(message_id, now, due.body, policy.key),
    }
    try:
        status = run_to_end(_call(httpx.URL(due.url), due.body, headers, policy))
    except (SourceError, httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
        raise WebhookError(_shorten(error)) from error
    if not 200 <= status < 300:
        raise WebhookError(f"the receiver answers with status {status}", is_final=status == GONE)


async def _call(url: httpx.URL, body: bytes, headers: Mapping[str, str], policy: WebhookPolicy) -> int:
    import httpx

    client = httpx.AsyncClient(trust_env=False, follow_redirects=False, verify=httpx.create_ssl_context())
    async with asyncio.timeout(CALL_SECONDS), client:
        request = await _make_request(url, body, headers, allow_private=policy.allow_private)
        response = await client.send(request, stream=True)
        # The body of the answer says nothing to us, and may be endless.
        await response.aclose()
        return response.status_code


async def _make_request(
    url: httpx.URL, body: bytes, headers: Mapping[str, str], *, allow_private: bool
) -> httpx.Request:
    return await pin_request(
        "POST", url, headers=headers, allow_private=allow_private, seconds=CALL_SECONDS, content=body
    )


def _claim_due(database: Engine) -> DueWebhook | None:
    """Return the next webhook whose batch has ended, and keep it from others for the time of a lease."""
    is_open = exists().where(Job.batch_id == Webhook.batch_id, Job.state.in_(OPEN_STATES))
    is_checked = exists().where(Job.batch_id == Webhook.batch_id, is_being_checked())
    due = (
        select(Webhook.id)
        .where(Webhook.state == WebhookState.WAITING, Webhook.available_at <= func.now(), ~is_open, ~is_checked)
        .order_by(Webhook.available_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with Session(database) as session, session.begin():
        row = session.execute(
            update(Webhook)
            .where(Webhook.id.in_(due.scalar_subquery()))
            .values(available_at=func.now() + LEASE, attempts=Webhook.attempts + 1)
            .returning(Webhook.id, Webhook.batch_id, Webhook.url, Webhook.attempts)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        # In the same transaction: its lock keeps the batch from being deleted.
        return row and DueWebhook(row.id, row.url, row.attempts, describe_end(session, row.batch_id))


def _record_failure(database: Engine, due: DueWebhook, error: WebhookError) -> None:
    reason = str(error)
    if error.is_final or due.attempts > len(PAUSES):
        _record(database, due, state=WebhookState.FAILED, error=reason)
    else:
        pause = timedelta(seconds=PAUSES[due.attempts - 1])
        _record(database, due, available_at=func.now() + pause, error=reason)


def _record(database: Engine, due: DueWebhook, **values: object) -> None:
    """Record the outcome of a call, unless its lease ran out and another server has called since."""
    is_latest = (Webhook.id == due.id) & (Webhook.attempts == due.attempts)
    with Session(database) as session, session.begin():
        session.execute(update(Webhook).where(is_latest).values(**values))


def _shorten(error: Exception) -> str:
    """Return the first part of an error's message: its advice is about pages."""
    return (str(error) or type(error).__name__).partition(";")[0]
