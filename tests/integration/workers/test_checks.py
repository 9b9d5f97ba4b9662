"""Checks on a real Postgres: a summary is there first, then it is measured, and a gate has it made once more."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from migrations.run import downgrade, upgrade
from models.approval import approve_jobs, list_approved
from models.checks import cancel_check, find_unchecked, request_missing_check
from models.job import Job
from models.lookup import Target, read_batch
from models.options import make_options
from models.queues import StepMessage
from models.step import Step
from models.tables import Evaluation
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker
from tests.jobs import add_jobs
from workers.generation import GenerationParams, Prompt

FERRY = (
    "The ferry Aurora sank off Norway on Monday. Captain Ingrid Berg saved 40 passengers before the storm grew. "
    "The owner, Nordlink, said that the ferry was built in 1987. Divers from Denmark will look for the wreck. "
    "The harbour of Bergen stayed closed until Tuesday, and two other ferries waited outside."
)
TRUE = "The ferry Aurora sank off Norway on Monday, and divers from Denmark will look for the wreck."
FALSE = "Boris Hansen won 9 medals in Sweden last Friday with his tram."
MIDDLING = "The ferry Aurora sank with its tram and 9 medals in Sweden last Friday."

Reply = Callable[[Prompt, GenerationParams], str]


def answer(first: str, second: str) -> Reply:
    """Write one summary with the default parameters, another with those of a second try, and no usable question."""

    def reply(prompt: Prompt, params: GenerationParams) -> str:
        if "question" in prompt.text:
            return "the the the"
        return first if params.seed is None else second

    return reply


def submit(cluster: Cluster, **options: object) -> tuple[UUID, list[StepMessage]]:
    # Fewer tokens than the document has: it is not its own summary.
    options = {"strategy": "stuff", "grounding": "off", "generation": {"max_new_tokens": 40}, **options}
    [job], step_messages = add_jobs(cluster.engine, [FERRY], options=make_options(**options))
    return job, step_messages


def read_metrics(cluster: Cluster, job: UUID) -> dict[str, tuple[float | None, str | None]]:
    with Session(cluster.engine) as session:
        rows = select(Evaluation.metric, Evaluation.value, Evaluation.reason).where(Evaluation.job_id == job)
        return {metric: (value, reason) for metric, value, reason in session.execute(rows)}


def approve(cluster: Cluster, target: Target) -> None:
    with Session(cluster.engine) as session, session.begin():
        approve_jobs(session, target, by="somebody")


def list_summaries(cluster: Cluster, batch: UUID) -> list[str]:
    with Session(cluster.engine) as session:
        return [summary for _, summary in list_approved(session, batch)]


def read_job(cluster: Cluster, job: UUID) -> Job:
    with Session(cluster.engine, expire_on_commit=False) as session:
        return session.get_one(Job, job)


def read_steps(cluster: Cluster, job: UUID) -> list[tuple[int, str, str]]:
    with Session(cluster.engine) as session:
        rows = select(Step.round, Step.kind, Step.state).where(Step.job_id == job).order_by(Step.created_at, Step.round)
        return [(number, kind, state) for number, kind, state in session.execute(rows)]


def test_a_summary_is_there_before_its_check_and_the_batch_is_over_after_it(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, check=True)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(answer(TRUE, TRUE)))
    for _ in range(2):
        worker.run_step((step_messages or worker.bell.waiting).pop(0).step_id)
    found = read_job(cluster, job)
    assert (found.state, found.summary) == ("succeeded", TRUE)
    assert read_steps(cluster, job)[-1] == (0, "evaluate", "ready")
    with Session(cluster.engine) as session:
        progress = read_batch(session, found.batch_id)
    assert (progress.open_jobs, progress.being_checked, progress.is_over) == (0, 1, False)
    worker.run_all([])
    metrics = read_metrics(cluster, job)
    assert metrics["consistency"][0] is not None
    assert metrics["qags"] == (None, "none of 6 questions passed the filters or fits the context")
    with Session(cluster.engine) as session:
        assert read_batch(session, found.batch_id).is_over
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_second_try_that_passes_the_gate_replaces_the_summary_and_both_are_kept_as_steps(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, gate=0.4)
    HandDrivenWorker(cluster.engine, FakeGenerator(answer(FALSE, TRUE))).run_all(step_messages)
    found = read_job(cluster, job)
    assert (found.state, found.summary, found.round, found.review) == ("succeeded", TRUE, 1, None)
    value = read_metrics(cluster, job)["least_support"][0]
    assert value is not None
    assert value >= 0.4
    kinds = ["plan", "stuff", "evaluate"]
    assert read_steps(cluster, job) == [(0, kind, "done") for kind in kinds] + [(1, kind, "done") for kind in kinds[1:]]
    assert_nothing_lost_or_doubled(cluster.engine)


@pytest.mark.parametrize(("first", "second"), [(MIDDLING, FALSE), (FALSE, MIDDLING)])
def test_of_two_summaries_below_the_gate_the_better_is_kept_and_marked_for_review(
    first: str, second: str, cluster: Cluster
) -> None:
    job, step_messages = submit(cluster, gate=0.95)
    HandDrivenWorker(cluster.engine, FakeGenerator(answer(first, second))).run_all(step_messages)
    found = read_job(cluster, job)
    assert (found.state, found.summary, found.round) == ("succeeded", MIDDLING, int(second == MIDDLING))
    assert found.review
    assert found.review.startswith("its least supported sentence has a support of 0.")
    assert ", below the gate of 0.95, and in a second try 0." in found.review
    with Session(cluster.engine) as session:
        progress = read_batch(session, found.batch_id)
    assert (progress.need_review, progress.is_complete, progress.is_over) == (1, False, True)
    assert_nothing_lost_or_doubled(cluster.engine)


def test_what_is_not_measurable_is_marked_for_review_with_the_reason_and_no_number(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, gate=0.4)
    HandDrivenWorker(cluster.engine, FakeGenerator(answer("It is what it is.", TRUE))).run_all(step_messages)
    reason = "the summary states no name, number, date or phrase that could be asked for"
    assert read_metrics(cluster, job)["consistency"] == (None, reason)
    assert read_job(cluster, job).review == f"the support of its sentences is not measurable: {reason}"
    assert max(number for number, _, _ in read_steps(cluster, job)) == 0


def test_a_second_try_without_a_summary_leaves_the_first(cluster: Cluster) -> None:
    def reply(prompt: Prompt, params: GenerationParams) -> str:
        if params.seed is None or "question" in prompt.text:
            return answer(FALSE, "")(prompt, params)
        raise RuntimeError("the device is on fire")

    job, step_messages = submit(cluster, gate=0.9)
    HandDrivenWorker(cluster.engine, FakeGenerator(reply), max_errors=1).run_all(step_messages)
    found = read_job(cluster, job)
    assert (found.state, found.summary) == ("succeeded", FALSE)
    assert found.review
    assert found.review.endswith("and a second try gave no summary")


def test_a_check_that_fails_says_so_and_costs_no_summary(cluster: Cluster) -> None:
    class Broken(FakeGenerator):
        def score_continuations(self, prompt: Prompt, continuations: object) -> list[float]:
            raise RuntimeError("the device is on fire")

    job, step_messages = submit(cluster, check=True)
    HandDrivenWorker(cluster.engine, Broken(answer(TRUE, TRUE)), max_errors=1).run_all(step_messages)
    found = read_job(cluster, job)
    assert (found.state, found.review) == ("succeeded", None)
    failed = (None, "the check failed: the device is on fire")
    assert read_metrics(cluster, job) == {"consistency": failed, "least_support": failed}
    assert read_steps(cluster, job)[-1] == (0, "evaluate", "failed")
    with Session(cluster.engine) as session:
        assert find_unchecked(session, found.batch_id) == [job]


def test_a_second_try_takes_the_approval_of_the_first_summary_away_until_somebody_approves_again(
    cluster: Cluster,
) -> None:
    job, step_messages = submit(cluster, gate=0.4)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(answer(FALSE, TRUE)))
    for _ in range(2):
        worker.run_step((step_messages or worker.bell.waiting).pop(0).step_id)
    batch = read_job(cluster, job).batch_id
    approve(cluster, Target(batch, "pile", job))
    assert list_summaries(cluster, batch) == [FALSE]
    worker.run_all([])
    assert list_summaries(cluster, batch) == []
    approve(cluster, Target(batch, "pile", job))
    assert list_summaries(cluster, batch) == [TRUE]


def test_every_message_of_a_check_delivered_ten_times_changes_nothing(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, gate=0.95)
    generator = FakeGenerator(answer(MIDDLING, FALSE))
    worker = HandDrivenWorker(cluster.engine, generator)
    publish = worker.bell.publish
    worker.bell.publish = lambda each: publish([step_message for step_message in each for _ in range(10)])  # type: ignore[method-assign]
    worker.run_all(step_messages)
    with Session(cluster.engine) as session:
        assert session.scalar(select(func.max(Step.attempt)).where(Step.job_id == job)) == 1
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_second_try_that_is_called_off_between_its_steps_creates_no_more(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, gate=0.95)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(answer(MIDDLING, FALSE)))
    worker.bell.waiting += step_messages
    while not any(number for number, _, _ in read_steps(cluster, job)):
        worker.run_step(worker.bell.waiting.pop(0).step_id)
    claim = worker.executor.claim(worker.bell.waiting.pop(0).step_id)
    assert claim is not None
    with Session(cluster.engine) as session, session.begin():
        assert cancel_check(session, job)
    worker.executor.run(claim)
    worker.run_all([])
    assert read_steps(cluster, job)[-2:] == [(1, "stuff", "done"), (1, "evaluate", "cancelled")]
    assert read_job(cluster, job).summary == MIDDLING
    assert read_job(cluster, job).review
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_check_that_was_called_off_can_be_ordered_again_with_its_second_try(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, gate=0.4)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(answer(FALSE, TRUE)))
    for _ in range(2):
        worker.run_step((step_messages or worker.bell.waiting).pop(0).step_id)
    with Session(cluster.engine) as session, session.begin():
        assert cancel_check(session, job)
    worker.run_all([])
    assert read_metrics(cluster, job) == {}
    with Session(cluster.engine) as session, session.begin():
        again = request_missing_check(session, job)
    worker.run_all(again)
    assert read_metrics(cluster, job)["consistency"][0] is not None
    assert (read_job(cluster, job).summary, read_job(cluster, job).review) == (TRUE, None)


def test_a_job_that_was_cancelled_is_not_checked(cluster: Cluster) -> None:
    job, step_messages = submit(cluster, check=True)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(cancel_requested_at=func.now()))
    HandDrivenWorker(cluster.engine, FakeGenerator()).run_all(step_messages)
    assert [kind for _, kind, _ in read_steps(cluster, job)] == ["plan"]


@pytest.mark.parametrize(("taken", "kept"), [(2, ["plan", "stuff"]), (4, ["plan", "stuff", "evaluate"])])
def test_the_schema_before_has_neither_open_checks_nor_second_tries(
    taken: int, kept: list[str], cluster: Cluster
) -> None:
    _, step_messages = submit(cluster, gate=0.4)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(answer(FALSE, TRUE)))
    for _ in range(taken):
        worker.run_step((step_messages or worker.bell.waiting).pop(0).step_id)
    downgrade(cluster.engine, "0003")
    try:
        with cluster.engine.connect() as connection:
            assert list(connection.scalars(text("SELECT kind FROM steps ORDER BY created_at"))) == kept
    finally:
        upgrade(cluster.engine)
