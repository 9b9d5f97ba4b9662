"""Leases of this process's running steps: their renewal, and the events that stop a step.

One thread per process renews the leases, stops steps whose job was cancelled or whose lease was lost, records the
worker's heartbeat, and ends the process if the engine hangs, so that its leases expire and other workers take over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models import step_updates
from models.claims import Claim

log = structlog.get_logger()

# Seconds between two queries for cancelled jobs; the query uses an index.
TICK_SECONDS = 1.0


class StopReason(StrEnum):
    """Reason to stop a running step."""

    CANCELLED = "cancelled"  # its job was cancelled
    LOST = "lost"  # another worker may have claimed it
    DRAINING = "draining"  # this process must end


@dataclass(slots=True)
class Lease:
    """Claim of a running step, with the event that stops it and the first reason to do so."""

    claim: Claim
    stopped: threading.Event = field(default_factory=threading.Event)
    reason: StopReason | None = None

    def stop(self, reason: StopReason) -> None:
        """Stop the running step; the first reason is kept."""
        if self.reason is None:
            self.reason = reason
        self.stopped.set()


class Leases:
    """Leases of this process's running steps.

    Args:
        engine: of the results database.
        must_end: set when steps must stop because the process ends.
        worker_id: id of the registered worker.
        lease_seconds: length of a lease from its renewal.
        heartbeat_seconds: interval of renewals.
        is_hung: returns whether the engine hangs.
        on_hang: ends the process.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        must_end: threading.Event,
        worker_id: str,
        lease_seconds: float,
        heartbeat_seconds: float,
        is_hung: Callable[[], bool],
        on_hang: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._is_hung = is_hung
        self._on_hang = on_hang
        self._must_end = must_end
        self._held: dict[UUID, Lease] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)

    def start(self) -> None:
        """Start the renewal."""
        self._thread.start()

    def close(self) -> None:
        """Stop the renewal; leases still held expire."""
        self._closed.set()
        self._thread.join(timeout=TICK_SECONDS + 5)

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Lease]:
        """Renew the lease of a claim for the length of a block."""
        lease = Lease(claim)
        with self._lock:
            self._held[claim.token] = lease
        if self._must_end.is_set():
            lease.stop(StopReason.DRAINING)
        try:
            yield lease
        finally:
            with self._lock:
                del self._held[claim.token]

    def stop_all(self) -> None:
        """Stop every step, running or claimed later, because this process ends."""
        self._must_end.set()
        for lease in self._snapshot().values():
            lease.stop(StopReason.DRAINING)

    def _snapshot(self) -> dict[UUID, Lease]:
        with self._lock:
            return dict(self._held)

    def _beat(self) -> None:
        renewed_at = 0.0
        tick = min(TICK_SECONDS, self._heartbeat_seconds)
        while not self._closed.wait(tick):
            if self._is_hung():
                log.error("engine_hung", worker=self._worker_id, action="the process ends and is restarted")
                self._on_hang()
                return
            is_due = time.monotonic() - renewed_at >= self._heartbeat_seconds
            try:
                if is_due:
                    self._renew()
                    renewed_at = time.monotonic()
                else:
                    self._stop_cancelled()
            except SQLAlchemyError as error:
                log.warning("heartbeat_failed", worker=self._worker_id, error=str(error).splitlines()[0])

    def _renew(self) -> None:
        held = self._snapshot()
        with Session(self._engine) as session, session.begin():
            step_updates.record_heartbeat(session, self._worker_id)
            claims = [lease.claim for lease in held.values()]
            alive = step_updates.renew_leases(session, claims, lease_seconds=self._lease_seconds)
        for token, lease in held.items():
            if token not in alive:
                lease.stop(StopReason.LOST)
            elif alive[token]:
                lease.stop(StopReason.CANCELLED)

    def _stop_cancelled(self) -> None:
        held = self._snapshot()
        if not held:
            return
        with Session(self._engine) as session:
            for token in step_updates.find_cancelled(session, [lease.claim for lease in held.values()]):
                held[token].stop(StopReason.CANCELLED)
