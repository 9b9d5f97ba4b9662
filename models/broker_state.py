"""The broker's last known epoch and process, kept in Postgres to detect that messages may be lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.tables import ClusterFact

EPOCH = "broker_epoch"
PROCESS = "broker_process"


class LossReason(StrEnum):
    """Reason to suspect that the broker lost messages; the values are logged."""

    FIRST = "broker_found"
    EMPTY = "broker_lost_its_data"
    RESTARTED = "broker_restarted"


@dataclass(frozen=True, slots=True)
class BrokerProcess:
    """Run id and uptime of the broker's server process."""

    name: str
    uptime_seconds: int


@dataclass(frozen=True, slots=True)
class SuspectedLoss:
    """A change of the broker after which messages may be lost.

    Args:
        why: reason of the suspicion.
        started: start of the broker's process if it kept its data; None if all messages may be lost.
    """

    why: LossReason
    started: datetime | None = None


def record_broker(session: Session, epoch: str, process: BrokerProcess | None) -> SuspectedLoss | None:
    """Store the broker's epoch and process, and return the loss that a change since the last call suggests.

    Args:
        session: holds the reclaim lock.
        epoch: random id stored on the broker; a new one means that the data are gone.
        process: the process that answered; None if the server does not report one.
    """
    seen = _read_fact(session, EPOCH)
    # Recorded also when the epoch changed, for the next comparison.
    restart = None if process is None else _record_process(session, process)
    if seen == epoch:
        return restart
    _write_fact(session, EPOCH, epoch)
    return SuspectedLoss(LossReason.FIRST if seen is None else LossReason.EMPTY)


def _record_process(session: Session, process: BrokerProcess) -> SuspectedLoss | None:
    seen, _, begun = (_read_fact(session, PROCESS) or "").partition(" ")
    if seen == process.name:
        return None
    uptime = timedelta(seconds=process.uptime_seconds)
    started: datetime = session.execute(select(func.now() - uptime)).scalar_one()
    # Behind a proxy several processes may answer in turn: only a later start counts as a restart.
    if begun and started <= datetime.fromisoformat(begun):
        return None
    _write_fact(session, PROCESS, f"{process.name} {started.isoformat()}")
    return SuspectedLoss(LossReason.RESTARTED, started) if seen else None


def _read_fact(session: Session, name: str) -> str | None:
    return session.scalar(select(ClusterFact.value).where(ClusterFact.name == name))


def _write_fact(session: Session, name: str, value: str) -> None:
    statement = upsert(ClusterFact).values(name=name, value=value)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
