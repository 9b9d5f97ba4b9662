"""Announces new steps to the workers; what cannot be sent now is marked, and the rescue of any worker sends it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.outbox import mark_undispatched
from models.queues import Doorbell, Wakeup


class Announcer:
    """Rings after commits; once the broker was away it is not tried again, because each try costs seconds."""

    def __init__(self, database: Engine, doorbell: Doorbell) -> None:
        self._database = database
        self._doorbell = doorbell
        self._is_away = False
        self.unsent = 0

    def announce(self, wakeups: Sequence[Wakeup]) -> None:
        """Send what can be sent of messages whose steps are committed."""
        sent = 0 if self._is_away or not wakeups else self._doorbell.ring(wakeups)
        unsent = wakeups[sent:]
        if unsent:
            self._is_away = True
            self.unsent += len(unsent)
            with Session(self._database) as session, session.begin():
                mark_undispatched(session, [wakeup.step_id for wakeup in unsent])
