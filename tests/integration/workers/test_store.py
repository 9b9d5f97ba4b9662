"""The rows of running steps after a lost lease, a reply that was lost and an outage of Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.results import StepResult
from models.session import connect
from models.step import Step
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import Bell, HandDrivenWorker, lose_lease
from tests.jobs import SECTIONS, add_jobs, section_options
from workers.execution import store as store_module
from workers.execution.progression import StepOutcome
from workers.execution.store import StepStore

STARTING = psycopg.OperationalError("the database system is starting up")
RESULT = StepOutcome(StepResult(output="A summary.", output_tokens=2))


@pytest.fixture
def store(cluster: Cluster) -> Iterator[StepStore]:
    database = connect(cluster.database_url, pool_size=1, pre_ping=False, autocommit=True)
    yield StepStore(database, Bell(), worker_id="w1", lease_seconds=60)
    database.dispose()


def plan(cluster: Cluster, strategy: str) -> list[UUID]:
    """Run the plan step of a new job and return its first steps."""
    _, [step_message] = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy=strategy))
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    worker.run_step(step_message.step_id)
    return [waiting.step_id for waiting in worker.bell.waiting]


def read_step(cluster: Cluster, step_id: UUID) -> Step:
    with Session(cluster.engine) as session:
        return session.get_one(Step, step_id)


@contextmanager
def refuse_connections(database: Engine, times: int, error: psycopg.Error = STARTING) -> Iterator[list[int]]:
    """Refuse the next connections, as a server does that is starting; yields how many are still to be refused."""
    left = [times]

    def refuse(*_: object) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    event.listen(database, "do_connect", refuse)
    yield left
    event.remove(database, "do_connect", refuse)


@pytest.mark.parametrize("strategy", ["map-reduce", "stuff"])
def test_a_run_whose_lease_was_lost_cannot_change_its_step(cluster: Cluster, store: StepStore, strategy: str) -> None:
    first = plan(cluster, strategy)[0]
    lost = store.claim(first)
    assert lost is not None
    lose_lease(cluster.engine, first)
    ours = store.claim(first)
    assert ours is not None
    assert store.complete(lost, RESULT) == []
    assert store.fail(lost, {"type": "Error", "message": "too late"}) == []
    store.retry(lost, {"type": "Error", "message": "too late"}, delay_seconds=0)
    store.release(lost)
    step = read_step(cluster, first)
    assert (step.state, step.lease_token, step.output, step.errors) == ("running", ours.token, None, 0)


def test_a_run_that_is_told_of_its_lost_lease_leaves_the_step_to_its_new_worker(cluster: Cluster) -> None:
    [first] = plan(cluster, "stuff")
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(seconds=lambda: 60))
    claim = worker.executor.claim(first)
    assert claim is not None
    lose_lease(cluster.engine, first)
    worker.leases.start()
    worker.executor.run(claim)
    worker.leases.close()
    step = read_step(cluster, first)
    assert (step.state, step.output, step.errors) == ("ready", None, 0)


def test_a_result_whose_commit_was_not_answered_gives_the_messages_of_the_next_steps_again(
    cluster: Cluster, store: StepStore
) -> None:
    claims = [store.claim(step) for step in plan(cluster, "map-reduce")]
    sent = [store.complete(claim, RESULT) for claim in claims if claim is not None]
    assert [[message.kind for message in messages] for messages in sent] == [[]] * 5 + [["reduce"]]
    assert claims[-1] is not None
    assert store.complete(claims[-1], RESULT) == sent[-1]


def test_a_claim_goes_on_through_an_outage(cluster: Cluster, store: StepStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PAUSES", (0.01,))
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    with refuse_connections(store._statements, 3) as left:
        claim = store.claim(step_message.step_id)
    assert claim is not None
    assert (left, claim.attempt) == ([0], 1)


def test_a_full_disk_of_postgres_is_named_and_waited_for(
    cluster: Cluster, store: StepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAUSES", (0.01,))
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    full = psycopg.errors.DiskFull("could not extend file: No space left on device")
    with refuse_connections(store._statements, 2, full), capture_logs() as logs:
        assert store.claim(step_message.step_id) is not None
    assert [(line["event"], line["action"]) for line in logs] == [
        ("postgres_disk_is_full", "free some space there; it is asked again")
    ] * 2


def test_a_process_that_must_end_does_not_wait_for_postgres(cluster: Cluster, store: StepStore) -> None:
    _, [step_message] = add_jobs(cluster.engine, ["A text."])
    store.must_end.set()
    with refuse_connections(store._statements, 1), pytest.raises(OperationalError):
        store.claim(step_message.step_id)


def test_the_broker_is_asked_once_however_often_postgres_is_while_unsent_steps_are_marked(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAUSES", (0.01,))
    _, step_messages = add_jobs(cluster.engine, ["A text."])
    asked: list[int] = []

    class AwayPublisher:
        def publish(self, step_messages: Sequence[StepMessage]) -> int:
            asked.append(len(step_messages))
            return 0

    store = StepStore(cluster.engine, AwayPublisher(), worker_id="worker", lease_seconds=60)
    with refuse_connections(store._transactions, 3):
        store.publish(step_messages)
    assert asked == [1]
    with Session(cluster.engine) as session:
        assert session.scalars(select(Step.dispatched_at)).all() == [None]


@pytest.mark.parametrize(("keeps_trying", "unsent"), [(True, 0), (False, 1)])
def test_a_worker_tries_a_broker_again_that_was_away_and_a_command_does_not(
    cluster: Cluster, keeps_trying: bool, unsent: int
) -> None:
    _, step_messages = add_jobs(cluster.engine, ["A text."])
    bell = Bell()
    publisher = OutboxPublisher(cluster.engine, bell, keeps_trying=keeps_trying)
    bell.is_broken = True
    assert publisher.publish(step_messages) == 1
    with Session(cluster.engine) as session:
        assert session.scalars(select(Step.dispatched_at)).all() == [None]
    bell.is_broken = False
    assert publisher.publish(step_messages) == unsent
