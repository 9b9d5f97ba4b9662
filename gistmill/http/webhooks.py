"""Webhooks of a server: what its settings allow, and the route that shows what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from gistmill.http.batches import require_batch
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.services import Shared
from models.settings import Settings
from models.webhook import Webhook
from producer.webhooks import WebhookPolicy, check_address, read_secret

router = APIRouter(prefix="/api", tags=["batches"])


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook of a batch, and what became of its calls."""

    url: str
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    delivered_at: datetime | None


@router.get("/batches/{batch_id}/webhooks", responses=describe_responses(404))
def read_webhooks(services: Shared, batch_id: UUID) -> list[WebhookRecord]:
    """List the webhooks of a batch."""
    require_batch(services, batch_id)
    columns = (getattr(Webhook, name) for name in WebhookRecord.__slots__)
    with services.connection.open_session() as session:
        rows = session.execute(select(*columns).where(Webhook.batch_id == batch_id).order_by(Webhook.created_at))
        return [WebhookRecord(*row) for row in rows]


def make_policy(settings: Settings) -> WebhookPolicy | None:
    """Return how webhooks are called; None without a secret, with which none can be signed.

    Raises:
        WebhookError: the secret is invalid.
    """
    if settings.webhook_secret is None:
        return None
    return WebhookPolicy(
        read_secret(settings.webhook_secret.get_secret_value()), allow_private=settings.webhook_private
    )


def check_webhook(url: str, settings: Settings) -> None:
    """Refuse a webhook that could not be called.

    Raises:
        RequestError: there is no secret to sign it with.
        WebhookError: the address is invalid, or leads to a private network.
    """
    policy = make_policy(settings)
    if policy is None:
        raise RequestError(
            422, "webhooks are signed: set GISTMILL_WEBHOOK_SECRET for `gistmill serve` first", param="webhook"
        )
    check_address(url, policy)
