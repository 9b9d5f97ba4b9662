"""Sentences about the servers that a producer must not keep to itself: messages not sent, weights not served."""

from __future__ import annotations

from sqlalchemy.orm import Session

from models.lookup import list_live_workers
from models.registry import suggest_nearest
from models.settings import DEFAULT_NAME
from producer.wording import count


def describe_unsent(steps: int) -> str:
    """Return the sentence about steps whose messages the broker did not take."""
    return (
        f"the broker does not answer, so {count(steps, 'step')} cannot be announced now. "
        "Nothing is lost: a worker begins them when the broker is back (`gistmill up` or GISTMILL_BROKER_URL)"
    )


def describe_unserved(session: Session, weights: str) -> str | None:
    """Return a sentence if no live worker serves the weights; for the default name only if workers serve others."""
    served = sorted({worker.weights for worker in list_live_workers(session)})
    if weights in served or (weights == DEFAULT_NAME and not served):
        return None
    near = suggest_nearest(weights, served) if served else ""
    return (
        f"no worker serves weights {weights!r} now{near}; the jobs wait until one does "
        f"(`gistmill worker --name {weights}`)"
    )
