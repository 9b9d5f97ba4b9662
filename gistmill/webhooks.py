"""Webhooks of a batch: registered with its submission, and what became of their calls.

The calls themselves are made by ``gistmill serve``, which has the secret that they are signed with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.webhook import Webhook, WebhookState
from producer.wording import count, format_moment


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook of a batch, and what became of its calls."""

    url: str
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    delivered_at: datetime | None

    def describe(self) -> str:
        """Return the host and the state in words; the rest of an address may hold a secret of its receiver."""
        return f"{urlsplit(self.url).netloc}: {self._describe_state()}"

    def _describe_state(self) -> str:
        if self.state == WebhookState.DELIVERED:
            return f"called {format_moment(self.delivered_at)}"
        tried = f"{count(self.attempts, 'call')} failed, the last because {self.error}" if self.error else ""
        if self.state == WebhookState.FAILED:
            return f"given up: {tried}"
        return f"{tried}; it is called again" if tried else "waits for the end; `gistmill serve` calls it"


def list_webhooks(session: Session, batch_id: UUID) -> list[WebhookRecord]:
    """Return the webhooks of a batch in the order of their registration; none to a role that may not read them."""
    if not session.scalar(select(func.has_table_privilege(Webhook.__tablename__, "SELECT"))):
        return []
    columns = (getattr(Webhook, field.name) for field in fields(WebhookRecord))
    rows = session.execute(select(*columns).where(Webhook.batch_id == batch_id).order_by(Webhook.created_at))
    return [WebhookRecord(*row) for row in rows]
