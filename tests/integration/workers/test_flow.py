"""Execution of steps on a real Postgres with an engine that needs no weights: from a plan to a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.job import Chunk, Job
from models.options import make_options
from models.queues import StepMessage
from models.step import Step, StepState
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker
from tests.jobs import SECTIONS, add_jobs, section_options
from workers.generation import GenerationParams, Prompt
from workers.weights.trained_prompt import TrainedPrompt


@contextmanager
def read(cluster: Cluster, job_id: UUID) -> Iterator[tuple[Session, Job]]:
    with Session(cluster.engine) as session:
        yield session, session.get_one(Job, job_id)


@pytest.mark.parametrize(
    ("strategy", "kinds"),
    [
        ("stuff", {"plan": 1, "stuff": 1}),
        ("map-reduce", {"plan": 1, "map": 6, "reduce": 1}),
        ("refine", {"plan": 1, "refine": 6}),
    ],
)
def test_a_strategy_runs_to_its_summary(cluster: Cluster, strategy: str, kinds: dict[str, int]) -> None:
    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy=strategy))
    HandDrivenWorker(cluster.engine, FakeGenerator()).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        assert (job.state, job.reason) == ("succeeded", None)
        assert job.summary
        assert job.summary.startswith("The part about")
        assert Counter(session.scalars(select(Step.kind))) == kinds
        assert set(session.scalars(select(Step.state))) == {"done"}
        assert session.scalar(select(func.count()).select_from(Chunk)) == (1 if strategy == "stuff" else 6)


def test_an_extract_quotes_the_document_and_calls_no_engine(cluster: Cluster) -> None:
    [job_id], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(strategy="extract", words=20)
    )
    generator = FakeGenerator()
    HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        assert (job.state, job.reason, job.strategy, generator.prompts) == ("succeeded", None, "extract", [])
        assert job.plan
        assert job.plan["totals"] == {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "depth": 0}
        step = session.scalars(select(Step).where(Step.kind == "extract")).one()
        assert (step.output, step.weights_fingerprint, step.queue) == (job.summary, None, "reduce.default")
        assert {sentence["kind"] for sentence in step.sentences} == {"quoted"}
        for sentence in step.sentences:
            [[start, end]] = sentence["spans"]
            assert SECTIONS[start:end] == job.summary[sentence["start"] : sentence["end"]]


def test_a_requested_length_limits_the_last_step_alone(cluster: Cluster) -> None:
    [job_id], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce", words=20)
    )
    long = " ".join(f"Value {number} of the part is not the value of another." for number in range(9))
    generator = FakeGenerator(lambda prompt, params: f"{params.max_new_tokens} tokens. {long}"[: 20 * len(prompt.text)])
    HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        assert job.state == "succeeded"
        assert job.summary == "78 tokens. Value 0 of the part is not the value of another. " + (
            "Value 1 of the part is not the value of another."
        )
        guards = session.scalars(select(Step.guards).where(Step.kind == "reduce")).one()
        assert [(guard["name"], guard["stands"]) for guard in guards] == [("length", False)]
        outputs = session.scalars(select(Step.output).where(Step.kind == "map")).all()
        assert set(outputs) == {f"512 tokens. {long}"}
    assert ["Write about 20 words." in prompt.text for prompt in generator.prompts] == [False] * 6 + [True]


def test_a_reduce_that_repeats_its_first_input_is_remarked_on(cluster: Cluster) -> None:
    parts = ["Alpha barley.", "Cider dairy.", "Eagle falcon.", "Grape honey.", "Iron juniper.", "Kelp lemon."]

    def reply(prompt: Prompt, params: GenerationParams) -> str:
        return next((part for number, part in enumerate(parts) if f"Sentence {number}" in prompt.text), parts[0])

    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"))
    HandDrivenWorker(cluster.engine, FakeGenerator(reply)).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        assert (job.state, job.reason) == ("succeeded", None)
        [guard] = session.scalars(select(Step.guards).where(Step.kind == "reduce")).one()
        assert (guard["name"], guard["words"]) == ("coverage", "says nothing of parts 2, 3, 4, 5, 6 of 6")


@pytest.mark.parametrize("strategy", ["auto", "stuff", "map-reduce", "refine"])
def test_a_document_as_short_as_a_summary_is_its_own(cluster: Cluster, strategy: str) -> None:
    [job_id], step_messages = add_jobs(cluster.engine, ["\nHello.\n"], options=make_options(strategy=strategy))
    generator = FakeGenerator()
    HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        assert (job.state, job.summary, generator.prompts) == ("succeeded", "Hello.", [])
        [sentence] = session.scalars(select(Step.sentences).where(Step.kind != "plan")).one()
        assert (sentence["kind"], sentence["spans"]) == ("quoted", [[1, 7]])


def test_a_short_chunk_is_its_own_summary_among_longer_ones(cluster: Cluster) -> None:
    text = f"{SECTIONS}\n\n## End\n\nThe last part is short. " + "Code 7. " * 30
    [job_id], step_messages = add_jobs(cluster.engine, [text], options=section_options(strategy="map-reduce"))
    generator = FakeGenerator()
    HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
    with read(cluster, job_id) as (session, job):
        chunk = session.scalars(select(Chunk).where(Chunk.index == 6)).one()
        step = session.scalars(select(Step).where(Step.kind == "map", Step.index == 6)).one()
        below_heading = text[chunk.start_at : chunk.end_at].removeprefix("## End\n\n")
        assert (job.state, step.output) == ("succeeded", below_heading)
        assert (step.weights_fingerprint, step.prompt_tokens, step.identity) == (None, None, None)
        assert [text[start:end] for sentence in step.sentences for start, end in sentence["spans"]] == [
            step.output[sentence["start"] : sentence["end"]] for sentence in step.sentences
        ]
    assert len(generator.prompts) == 7
    assert "The last part is short." in generator.prompts[-1].text


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ({}, ("custom", "In short: {text}")),
        ({"style": "eli5"}, ("eli5", None)),
        ({"style": "custom", "template": "At length: {text}"}, ("custom", "At length: {text}")),
    ],
)
def test_a_job_that_asks_for_no_style_gets_the_one_of_its_weights_and_says_so(
    cluster: Cluster, asked: dict[str, str], used: tuple[str, str | None]
) -> None:
    [job_id], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce", **asked)
    )
    generator = FakeGenerator()
    HandDrivenWorker(cluster.engine, generator, trained_prompt=TrainedPrompt("custom", "In short: {text}")).run_all(
        step_messages
    )
    with read(cluster, job_id) as (_, job):
        assert (job.state, job.options["style"], job.options["template"]) == ("succeeded", *used)
    beginnings = {"In short: ": "In short: {text}", "At length: ": "At length: {text}"}
    found = {beginnings.get(prompt.turns[-1].parts[0].text) for prompt in generator.prompts}
    assert found == {used[1]}


def test_every_message_delivered_ten_times_changes_nothing(cluster: Cluster) -> None:
    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"))
    generator = FakeGenerator()
    worker = HandDrivenWorker(cluster.engine, generator)
    publish = worker.bell.publish
    worker.bell.publish = lambda each: publish([step_message for step_message in each for _ in range(10)])  # type: ignore[method-assign]
    worker.run_all(step_messages * 10)
    with read(cluster, job_id) as (session, job):
        assert job.state == "succeeded"
        assert session.scalar(select(func.count()).select_from(Step)) == 8
    assert len(generator.prompts) == 7


def test_messages_that_a_dead_broker_loses_leave_their_steps_marked_as_unsent(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"))
    worker = HandDrivenWorker(cluster.engine, FakeGenerator())
    worker.bell.is_broken = True
    worker.run_all(step_messages)
    with Session(cluster.engine) as session:
        unsent = session.scalars(select(Step.dispatched_at).where(Step.state == StepState.READY)).all()
    assert unsent == [None] * 6


def test_a_chunk_that_always_fails_makes_the_job_partial_and_its_siblings_go_on(cluster: Cluster) -> None:
    def reply(prompt, params):  # type: ignore[no-untyped-def]
        if "Sentence 3" in prompt.text:
            raise RuntimeError("the device is on fire")
        return "A good and short sentence."

    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="map-reduce"))
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(reply))
    worker.run_all(step_messages)
    for _ in range(3):
        with Session(cluster.engine) as session, session.begin():
            session.execute(update(Step).values(available_at=func.now()).where(Step.state == "ready"))
            steps = session.scalars(select(Step).where(Step.state == "ready"))
            ready = [StepMessage(step.id, step.kind, step.queue, 0) for step in steps]
        worker.run_all(ready)
    with read(cluster, job_id) as (session, job):
        assert job.state == "partial"
        assert job.summary == "A good and short sentence."
        assert job.reason
        assert "the device is on fire" in job.reason
        failed = session.scalars(select(Step).where(Step.state == "failed")).one()
        assert (failed.kind, failed.index, failed.errors) == ("map", 3, 2)


def test_a_document_that_cannot_be_planned_fails_its_job_with_the_reason(cluster: Cluster) -> None:
    [job_id], step_messages = add_jobs(
        cluster.engine, [SECTIONS], options=section_options(generation={"max_new_tokens": 9000})
    )
    HandDrivenWorker(cluster.engine, FakeGenerator()).run_all(step_messages)
    with read(cluster, job_id) as (_, job):
        assert job.state == "failed"
        assert job.reason
        assert "max_new_tokens" in job.reason


def test_a_step_that_has_killed_its_worker_too_often_is_failed_without_running(cluster: Cluster) -> None:
    [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=section_options(strategy="stuff"))
    generator = FakeGenerator()
    worker = HandDrivenWorker(cluster.engine, generator, max_crashes=4)
    worker.run_step(step_messages[0].step_id)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Step).where(Step.kind == "stuff").values(crashes=4, is_solo=True))
    worker.run_all([])
    with read(cluster, job_id) as (_, job):
        assert job.state == "failed"
        assert job.reason
        assert "its worker died 4 times" in job.reason
    assert generator.prompts == []


def test_a_second_job_with_the_same_document_is_served_from_finished_steps(cluster: Cluster) -> None:
    greedy = section_options(strategy="map-reduce", generation={"do_sample": False})
    generator = FakeGenerator()
    for calls in (7, 0):
        generator.prompts.clear()
        [job_id], step_messages = add_jobs(cluster.engine, [SECTIONS], options=greedy)
        HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
        assert len(generator.prompts) == calls
    with read(cluster, job_id) as (session, job):
        assert job.state == "succeeded"
        cached = session.scalars(select(Step.cached_from).where(Step.job_id == job_id, Step.kind != "plan"))
        assert all(cached)


def test_an_edited_section_runs_its_own_map_step_and_the_reduce_again_and_nothing_else(cluster: Cluster) -> None:
    greedy = section_options(strategy="map-reduce", overlap_tokens=0, generation={"do_sample": False})
    generator = FakeGenerator()
    for text, calls in ((SECTIONS, 7), (SECTIONS.replace("value 3 is 21", "value 3 is now 22"), 2)):
        generator.prompts.clear()
        _, step_messages = add_jobs(cluster.engine, [text], options=greedy)
        HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
        assert len(generator.prompts) == calls


def test_without_cache_every_step_is_generated_again(cluster: Cluster) -> None:
    generator = FakeGenerator()
    for _ in range(2):
        _, step_messages = add_jobs(
            cluster.engine,
            [SECTIONS],
            options=section_options(strategy="stuff", cache=False, generation={"do_sample": False}),
        )
        HandDrivenWorker(cluster.engine, generator).run_all(step_messages)
    assert len(generator.prompts) == 2
