"""Webhooks of a server: what its settings allow, and the route that shows what became of them."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from gistmill.http.batches import require_batch
from gistmill.http.errors import RequestError, describe_responses
from gistmill.http.services import Shared
from gistmill.webhooks import WebhookRecord, list_webhooks
from models.settings import Settings
from producer.webhooks import WebhookPolicy, read_secret

router = APIRouter(prefix="/api", tags=["batches"])


@router.get("/batches/{batch_id}/webhooks", responses=describe_responses(404))
def read_webhooks(services: Shared, batch_id: UUID) -> list[WebhookRecord]:
    """List the webhooks of a batch."""
    require_batch(services, batch_id)
    with services.connection.open_session() as session:
        return list_webhooks(session, batch_id)


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


def require_secret(settings: Settings) -> None:
    """Refuse a webhook that this server could not sign.

    Raises:
        RequestError: it has no secret.
    """
    if settings.webhook_secret is None:
        raise RequestError(
            422, "webhooks are signed: set GISTMILL_WEBHOOK_SECRET for `gistmill serve` first", param="webhook"
        )
