"""The share of sentences that passed their check, of real rows, and the strategy that follows from it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from models.job import Job
from models.options import make_options
from models.step import Step
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker
from tests.jobs import SECTIONS, add_jobs, section_options
from workers.execution import check_rate
from workers.execution.check_rate import MIN_SENTENCES, RateCache, measure_check_rate
from workers.weights.trained_prompt import TrainedPrompt


def store_sentences(cluster: Cluster, kinds: list[str], *, fingerprint: str | None = "fake") -> None:
    """Store a finished job with the verdicts of its sentences."""
    [job_id], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(strategy="stuff", cache=False, grounding="off")
    )
    HandDrivenWorker(cluster.engine, FakeGenerator()).run_all(step_messages)
    sentences = [{"start": 0, "end": 1, "kind": kind, "score": None, "reason": None, "spans": []} for kind in kinds]
    with Session(cluster.engine) as session, session.begin():
        of_job = update(Step).where(Step.job_id == job_id, Step.kind == "stuff")
        session.execute(of_job.values(sentences=sentences, weights_fingerprint=fingerprint))


def measure(cluster: Cluster, fingerprint: str | None = "fake", weights: str = "default") -> float | None:
    with cluster.engine.connect() as connection:
        return measure_check_rate(connection, weights, fingerprint=fingerprint)


def test_the_rate_is_the_share_of_verified_among_all_that_were_checked(cluster: Cluster) -> None:
    assert measure(cluster) is None
    store_sentences(cluster, ["verified"] * 30 + ["quoted"] * 20 + ["flagged"] * 10 + ["unchecked"] * 7)
    assert measure(cluster) == 0.5


def test_outputs_of_other_weights_and_of_none_do_not_count(cluster: Cluster) -> None:
    store_sentences(cluster, ["verified"] * MIN_SENTENCES)
    store_sentences(cluster, ["quoted"] * MIN_SENTENCES, fingerprint="other")
    store_sentences(cluster, ["quoted"] * MIN_SENTENCES, fingerprint=None)
    assert measure(cluster) == 1
    assert measure(cluster, None) == 0.5
    assert measure(cluster, weights="large") is None


def test_few_sentences_say_nothing(cluster: Cluster) -> None:
    store_sentences(cluster, ["quoted"] * (MIN_SENTENCES - 1))
    assert measure(cluster) is None


@pytest.mark.parametrize(
    ("kinds", "trained", "options", "strategy"),
    [
        (["quoted"] * 60, None, {}, "extract"),
        (["quoted"] * 60, 0.9, {}, "extract"),
        (["verified"] * 60, 0.1, {}, "map-reduce"),
        ([], 0.1, {}, "extract"),
        ([], None, {}, "map-reduce"),
        (["quoted"] * 60, None, {"grounding": "off"}, "map-reduce"),
        (["quoted"] * 60, None, {"strategy": "map-reduce"}, "map-reduce"),
    ],
)
def test_auto_follows_the_measured_rate_and_without_one_that_of_the_metadata(
    cluster: Cluster, kinds: list[str], trained: float | None, options: dict[str, object], strategy: str
) -> None:
    store_sentences(cluster, kinds)
    given = make_options(**{"chunk_tokens": 150, "stuff_tokens": 1, **options})
    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=given)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(), trained_prompt=TrainedPrompt(check_rate=trained))
    worker.run_all(step_messages)
    assert read_strategy(cluster, job_id) == ("succeeded", strategy)


def read_strategy(cluster: Cluster, job_id: UUID) -> tuple[str, str | None]:
    with Session(cluster.engine) as session:
        job = session.get_one(Job, job_id)
        return job.state, job.strategy


def test_a_rate_is_measured_once_a_minute_for_each_name(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    asked: list[str] = []

    def measure_rate(weights: str) -> float | None:
        asked.append(weights)
        return len(asked) / 10

    monkeypatch.setattr(check_rate.time, "monotonic", lambda: now[0])
    rates = RateCache(measure_rate)
    assert [rates.find("a"), rates.find("a"), rates.find("b")] == [0.1, 0.1, 0.2]
    now[0] += check_rate.KEPT_SECONDS
    assert rates.find("a") == 0.3
