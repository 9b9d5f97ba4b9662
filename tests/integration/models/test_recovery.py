"""What the rescue remembers of the broker, on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from models.recovery import BrokerNews, note_broker
from tests.conftest import Cluster


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    with Session(cluster.engine) as session:
        yield session


def test_a_broker_is_found_once(session: Session) -> None:
    assert note_broker(session, "epoch", "process", 10) is BrokerNews.FIRST
    assert note_broker(session, "epoch", "process", 10) is None


def test_another_epoch_is_a_loss_whatever_the_process(session: Session) -> None:
    note_broker(session, "epoch", "process", 10)
    assert note_broker(session, "another", "process", 10) is BrokerNews.EMPTY
    assert note_broker(session, "a third", "later", 1) is BrokerNews.EMPTY
    assert note_broker(session, "a third", "later", 1) is None


def test_a_later_process_is_a_restart(session: Session) -> None:
    note_broker(session, "epoch", "process", 10)
    assert note_broker(session, "epoch", "later", 2) is BrokerNews.RESTARTED
    assert note_broker(session, "epoch", "later", 2) is None


def test_brokers_that_take_turns_behind_one_address_are_no_news(session: Session) -> None:
    note_broker(session, "epoch", "young", 10)
    for _ in range(3):
        assert note_broker(session, "epoch", "old", 5000) is None
        assert note_broker(session, "epoch", "young", 10) is None


def test_a_broker_that_does_not_tell_its_process_is_known_by_its_epoch(session: Session) -> None:
    assert note_broker(session, "epoch", None, 0) is BrokerNews.FIRST
    assert note_broker(session, "epoch", None, 0) is None
    assert note_broker(session, "another", None, 0) is BrokerNews.EMPTY
