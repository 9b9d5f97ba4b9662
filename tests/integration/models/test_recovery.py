"""What the rescue remembers of the broker, on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.broker_state import BrokerProcess, LossReason, SuspectedLoss, record_broker
from models.recovery import find_open_partitions, forget_dispatches
from models.step import Step
from tests.conftest import Cluster
from tests.jobs import add_jobs


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    with Session(cluster.engine) as session:
        yield session


def note(session: Session, epoch: str, name: str | None = "process", uptime: int = 10) -> LossReason | None:
    news = record_broker(session, epoch, None if name is None else BrokerProcess(name, uptime))
    return news and news.why


def test_a_broker_is_found_once(session: Session) -> None:
    assert note(session, "epoch") is LossReason.FIRST
    assert note(session, "epoch") is None


def test_another_epoch_is_a_loss_whatever_the_process(session: Session) -> None:
    note(session, "epoch")
    assert note(session, "another") is LossReason.EMPTY
    assert note(session, "a third", "later", 1) is LossReason.EMPTY
    assert note(session, "a third", "later", 1) is None


def test_a_later_process_is_a_restart(session: Session) -> None:
    note(session, "epoch")
    assert note(session, "epoch", "later", 2) is LossReason.RESTARTED
    assert note(session, "epoch", "later", 2) is None


def test_brokers_that_take_turns_behind_one_address_are_no_news(session: Session) -> None:
    note(session, "epoch", "young", 10)
    for _ in range(3):
        assert note(session, "epoch", "old", 5000) is None
        assert note(session, "epoch", "young", 10) is None


def test_a_broker_that_does_not_tell_its_process_is_known_by_its_epoch(session: Session) -> None:
    assert note(session, "epoch", None) is LossReason.FIRST
    assert note(session, "epoch", None) is None
    assert note(session, "another", None) is LossReason.EMPTY


@pytest.mark.parametrize(
    ("ages", "forgotten"),
    [
        ([600, 300, 65, 62, 61, 5], {65, 62, 61, 5}),  # sent in its last ten seconds, or since
        ([600, 300], {300}),  # nothing was sent for a while before it died
        ([5, 4], {5, 4}),
    ],
    ids=["busy", "quiet", "young"],
)
def test_a_restart_puts_what_was_sent_last_in_doubt(
    cluster: Cluster, session: Session, ages: list[int], forgotten: set[int]
) -> None:
    _, step_messages = add_jobs(cluster.engine, [f"Text {age}." for age in ages])
    for step_message, age in zip(step_messages, ages, strict=True):
        sent = func.now() - timedelta(seconds=age)
        session.execute(update(Step).where(Step.id == step_message.step_id).values(dispatched_at=sent))
    # It was down from 60 to 30 seconds ago, except in the life of the youngest.
    started = session.execute(select(func.now() - timedelta(seconds=30))).scalar_one()
    loss = SuspectedLoss(LossReason.RESTARTED, started)
    assert forget_dispatches(session, find_open_partitions(session), loss) == len(forgotten)
    unsent = set(session.scalars(select(Step.id).where(Step.dispatched_at.is_(None))))
    assert unsent == {
        step_message.step_id for step_message, age in zip(step_messages, ages, strict=True) if age in forgotten
    }
