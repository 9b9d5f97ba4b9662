"""What the rescue remembers of the broker, to notice that what was sent to it may not be there."""

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
    """Why what was sent to the broker may not be there, as it is logged."""

    FIRST = "broker_found"
    EMPTY = "broker_lost_its_data"
    RESTARTED = "broker_restarted"


@dataclass(frozen=True, slots=True)
class BrokerProcess:
    """The broker's server process, as it describes itself."""

    name: str
    uptime_seconds: int


@dataclass(frozen=True, slots=True)
class SuspectedLoss:
    """What is new about the broker.

    Args:
        why: it may not have what was sent.
        started: when its process was, if that is the reason.
    """

    why: LossReason
    started: datetime | None = None


def record_broker(session: Session, epoch: str, process: BrokerProcess | None) -> SuspectedLoss | None:
    """Remember what the broker said of itself, and return what is new since it was asked last.

    Args:
        session: holds the rescue's lock.
        epoch: of its data.
        process: that answered; None if it does not say.
    """
    seen = _read_fact(session, EPOCH)
    # Asked in any case: it is to be known next time.
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
    # Behind a proxy there may be several, of which now one answers and now another: only a later start is news.
    if begun and started <= datetime.fromisoformat(begun):
        return None
    _write_fact(session, PROCESS, f"{process.name} {started.isoformat()}")
    return SuspectedLoss(LossReason.RESTARTED, started) if seen else None


def _read_fact(session: Session, name: str) -> str | None:
    return session.scalar(select(ClusterFact.value).where(ClusterFact.name == name))


def _write_fact(session: Session, name: str, value: str) -> None:
    statement = upsert(ClusterFact).values(name=name, value=value)
    session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
