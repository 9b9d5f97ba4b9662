"""Makes steps that have ended run again, as if they had never run."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from models.outbox import wakeup_of
from models.queries import update_steps
from models.queues import Wakeup
from models.step import Step, StepState

# A step that runs again has said nothing yet; how often it ran is kept, for its tries are numbered by it.
FORGOTTEN = (
    "done_token", "identity", "cached_from", "prompt_fingerprint", "weights_fingerprint", "params", "output",
    "output_tokens", "prompt_tokens", "completion_tokens", "finish_reason", "seconds", "worker", "error",
    "started_at", "finished_at", "lease_owner",
)  # fmt: skip


def restart_steps(session: Session, steps: Sequence[UUID]) -> list[Wakeup]:
    """Make steps ready with fresh counters and return their messages, to be sent after the commit."""
    rows = session.execute(
        update_steps()
        .where(Step.id.in_(steps))
        .values(
            state=StepState.READY,
            errors=0,
            crashes=0,
            is_solo=False,
            guards=[],
            available_at=func.now(),
            dispatched_at=func.now(),
            dispatches=1,
            **dict.fromkeys(FORGOTTEN),
        )
        .returning(Step.id, Step.kind, Step.queue, Step.priority)
    )
    return [wakeup_of(row) for row in rows]
