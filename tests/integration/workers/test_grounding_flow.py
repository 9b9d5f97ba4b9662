"""Jobs of an engine that invents in every second sentence: nothing invented reaches a summary that succeeded."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.job import Job
from models.lookup import list_sentences
from models.options import JobOptions, make_options
from models.queues import StepMessage
from models.step import Step, StepState
from models.views import SentenceText
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator, read_source
from tests.hand_driven import HandDrivenWorker, lose_lease
from tests.jobs import add_jobs
from tests.word_judge import WordJudge
from workers.evaluation.lexical import read_words
from workers.generation import GenerationParams, Prompt

TOWNS = ("Aldbury", "Brixham", "Corfe", "Dunster", "Evesham", "Frome")
TRUE = re.compile(
    r"The council of \w+ spent \d+ pounds on the old bridge\.|Engineers in \w+ replaced \d+ rusty cables\."
)
# Of names and numbers that are nowhere: the first comes near a sentence of the documents, the second near none.
INVENTIONS = ("Boris Zhukov replaced 9173 cables in Qatar.", "Olga Petrenko won 8264 medals against Sumatra.")
INVENTED = re.compile("Zhukov|9173|Qatar|Petrenko|8264|Sumatra")
GREEDY = {"do_sample": False, "max_new_tokens": 40}
QUOTATION_MARKS = "\u201c\u201d"

Reply = Callable[[Prompt, GenerationParams], str]


def write_section(number: int, town: str) -> str:
    """Write a section that is a chunk of its own, with list items that end without a full stop."""
    return (
        f"## {town}\n\nThe council of {town} spent {450 + number} pounds on the old bridge. "
        f"Engineers in {town} replaced {12 + number} rusty cables.\n\n"
        f"- Divers of {town} looked at the {20 + number} piers below\n- Painters of {town} wait for the dry weather\n\n"
        + f"People in {town} talk about nothing else. "
        * 8
    )


DOCUMENT = "\n\n".join(write_section(number, town) for number, town in enumerate(TOWNS))


def find_true(prompt: Prompt) -> list[str]:
    """Return up to two sentences of the prompt, of different towns if it tells of several."""
    found = TRUE.findall(read_source(prompt))
    return [*found[:1], *found[-1:]]


def invent_half(prompt: Prompt, params: GenerationParams) -> str:
    """Write a true and an invented sentence in turn."""
    return " ".join(f"{true} {invented}" for true, invented in zip(find_true(prompt), INVENTIONS, strict=True))


def tell_truth(prompt: Prompt, params: GenerationParams) -> str:
    return " ".join(find_true(prompt))


def choose_options(strategy: str, **more: object) -> JobOptions:
    chunks = {"chunk_tokens": 120, "overlap_tokens": 0}
    return make_options(**{"strategy": strategy, "generation": GREEDY, **chunks, **more})


def run_job(
    cluster: Cluster, generator: FakeGenerator, options: JobOptions, *, document: str = DOCUMENT, **worker: object
) -> UUID:
    [job], step_messages = add_jobs(cluster.engine, [document], options=options)
    HandDrivenWorker(cluster.engine, generator, **worker).run_all(step_messages)  # type: ignore[arg-type]
    return job


def read_job(cluster: Cluster, job: UUID) -> tuple[Job, list[SentenceText]]:
    with Session(cluster.engine, expire_on_commit=False) as session:
        return session.get_one(Job, job), list_sentences(session, [job])


def read_steps(cluster: Cluster, job: UUID, kind: str) -> list[Step]:
    with Session(cluster.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Step).where(Step.job_id == job, Step.kind == kind).order_by(Step.index)))


def assert_grounded(cluster: Cluster, job: UUID, *, document: str = DOCUMENT) -> list[SentenceText]:
    """Fail unless every word of a summary is in a sentence that is verified or quoted, at the places that it cites."""
    found, sentences = read_job(cluster, job)
    assert (found.state, found.reason) == ("succeeded", None)
    summary = found.summary or ""
    assert INVENTED.findall(summary) == []
    ends = [0, *(sentence.end_at for sentence in sentences)]
    starts = [*(sentence.start_at for sentence in sentences), len(summary)]
    assert read_words(" ".join(summary[end:start] for end, start in zip(ends, starts, strict=True))) == ()
    for sentence in sentences:
        cited = [document[citation["start"] : citation["end"]] for citation in sentence.citations]
        assert cited == [citation["text"] for citation in sentence.citations]
        words = {word.key for word in read_words(sentence.text)}
        assert words <= {word.key for text in cited for word in read_words(text)}
        if sentence.kind == "quoted":
            assert sentence.text.strip(QUOTATION_MARKS) == " ".join(cited[0].split())
        else:
            assert sentence.kind == "verified"
    assert_nothing_lost_or_doubled(cluster.engine)
    return sentences


@pytest.mark.parametrize("judge", [None, WordJudge()], ids=["facts", "verifier"])
@pytest.mark.parametrize(
    ("strategy", "context_tokens", "kinds"),
    [
        ("stuff", 8192, {"plan": 1, "stuff": 1}),
        ("map-reduce", 8192, {"plan": 1, "map": 6, "reduce": 1}),
        ("map-reduce", 222, {"plan": 1, "map": 6, "collapse": 2, "reduce": 1}),
        ("refine", 8192, {"plan": 1, "refine": 6}),
    ],
    ids=["stuff", "map-reduce", "collapse", "refine"],
)
def test_nothing_invented_is_in_a_summary_that_succeeded(
    strategy: str, context_tokens: int, kinds: dict[str, int], judge: WordJudge | None, cluster: Cluster
) -> None:
    generator = FakeGenerator(invent_half, context_tokens=context_tokens)
    job = run_job(cluster, generator, choose_options(strategy), judge=judge)

    sentences = assert_grounded(cluster, job)

    assert {sentence.kind for sentence in sentences} == {"verified", "quoted"}
    with Session(cluster.engine) as session:
        assert Counter(session.scalars(select(Step.kind))) == kinds
        outputs = " ".join(output or "" for output in session.scalars(select(Step.output)))
    assert INVENTED.findall(outputs) == []


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_what_is_invented_is_marked_where_only_marks_are_asked_for(strategy: str, cluster: Cluster) -> None:
    job = run_job(cluster, FakeGenerator(invent_half), choose_options(strategy, grounding="flag"))

    found, sentences = read_job(cluster, job)

    assert found.state == "succeeded"
    for sentence in sentences:
        assert (sentence.kind == "flagged") == bool(INVENTED.search(sentence.text)) == bool(sentence.reason)
    assert (found.verified, found.quoted, found.flagged) == (2, 0, 2)
    assert_nothing_lost_or_doubled(cluster.engine)


def test_a_fault_of_an_answer_of_which_nothing_is_left_makes_no_summary_partial(cluster: Cluster) -> None:
    german = "Boris Zhukov hat die alte Br\u00fccke in Katar am Freitag geschlossen und nicht wieder ge\u00f6ffnet."

    job = run_job(cluster, FakeGenerator(lambda *_: german), choose_options("stuff"))

    sentences = assert_grounded(cluster, job)
    assert {sentence.kind for sentence in sentences} == {"quoted"}
    [step] = read_steps(cluster, job, "stuff")
    assert ["language", False] in [[guard["name"], guard["stands"]] for guard in step.guards]


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_a_wrapped_document_is_read_and_cited_in_whole_sentences(cluster: Cluster, strategy: str) -> None:
    plain = re.sub("[#-] ", "", DOCUMENT)
    document = "\n\n".join(textwrap.fill(section, 72) for section in plain.split("\n\n"))
    generator = FakeGenerator(tell_truth)

    job = run_job(cluster, generator, choose_options(strategy, chunk_tokens=400), document=document)

    # None of the second sentences stands on one line.
    assert len(TRUE.findall(document)) == len(TOWNS)
    assert all(len(find_true(prompt)) == 2 for prompt in generator.prompts)
    sentences = assert_grounded(cluster, job, document=document)
    assert any("\n" in citation["text"] for sentence in sentences for citation in sentence.citations)


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_without_grounding_every_sentence_stays_unchecked(strategy: str, cluster: Cluster) -> None:
    job = run_job(cluster, FakeGenerator(invent_half), choose_options(strategy, grounding="off"))

    found, sentences = read_job(cluster, job)

    assert [sentence.kind for sentence in sentences] == ["unchecked"] * 4
    assert [bool(INVENTED.search(sentence.text)) for sentence in sentences] == [False, True] * 2
    assert (found.verified, found.quoted, found.flagged) == (None, None, None)


def vary(first: Reply, *others: Reply) -> Reply:
    """Answer as the given candidates do, in the order of their repetition penalties."""

    def reply(prompt: Prompt, params: GenerationParams) -> str:
        number = round((params.repetition_penalty - JobOptions().generation.repetition_penalty) / 0.05)
        return (first, *others)[number](prompt, params)

    return reply


def test_further_candidates_are_asked_for_only_where_one_failed_and_the_best_is_kept(cluster: Cluster) -> None:
    def is_about_corfe(prompt: Prompt) -> bool:
        return {town for town in TOWNS if town in prompt.text} == {"Corfe"}

    def lie_about_corfe(prompt: Prompt, params: GenerationParams) -> str:
        return (invent_half if is_about_corfe(prompt) else tell_truth)(prompt, params)

    generator = FakeGenerator(vary(lie_about_corfe, tell_truth, invent_half))
    job = run_job(cluster, generator, choose_options("map-reduce", candidates=3))

    assert {sentence.kind for sentence in assert_grounded(cluster, job)} == {"verified"}
    assert Counter(map(is_about_corfe, generator.prompts)) == {True: 3, False: 6}
    steps = read_steps(cluster, job, "map")
    assert [len(step.sentences) for step in steps] == [2] * 6
    assert [step.guards for step in steps] == [[]] * 6
    assert steps[2].params["repetition_penalty"] > steps[1].params["repetition_penalty"]
    assert steps[2].completion_tokens > steps[1].completion_tokens * 3


def test_a_candidate_without_text_leaves_the_answer_that_is_there(cluster: Cluster) -> None:
    generator = FakeGenerator(lambda prompt, params: "" if len(generator.prompts) > 1 else invent_half(prompt, params))
    job = run_job(cluster, generator, choose_options("stuff", candidates=3))

    assert len(assert_grounded(cluster, job)) >= 2


def test_a_cached_step_of_another_document_cites_that_document(cluster: Cluster) -> None:
    longer = f"{write_section(90, 'Preface')}\n\n{DOCUMENT}"
    generator = FakeGenerator(lambda prompt, params: f"{' '.join(INVENTIONS)} {tell_truth(prompt, params)}")
    options = choose_options("map-reduce")
    earlier = run_job(cluster, generator, options)
    generator.prompts.clear()
    job = run_job(cluster, generator, options, document=longer)

    assert_grounded(cluster, earlier)
    assert_grounded(cluster, job, document=longer)
    assert len(generator.prompts) == 2
    steps = read_steps(cluster, job, "map")
    assert [step.cached_from is not None for step in steps] == [False] + [True] * 6
    for step, other in zip(steps[1:], read_steps(cluster, earlier, "map"), strict=True):
        assert step.output == other.output
        assert [(one["start"], one["kind"]) for one in step.sentences] == [
            (one["start"], one["kind"]) for one in other.sentences
        ]
        for one, same in zip(step.sentences, other.sentences, strict=True):
            assert [longer[start:end] for start, end in one["spans"]] == [
                DOCUMENT[start:end] for start, end in same["spans"]
            ]


def test_a_step_that_is_tried_again_keeps_one_set_of_sentences(cluster: Cluster) -> None:
    broken = [True]

    def break_once(prompt: Prompt, params: GenerationParams) -> str:
        if broken:
            broken.clear()
            raise RuntimeError("the device is on fire")
        return invent_half(prompt, params)

    [job], step_messages = add_jobs(cluster.engine, [DOCUMENT], options=choose_options("stuff"))
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(break_once))
    worker.run_all(step_messages)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Step).values(available_at=func.now()).where(Step.state == StepState.READY))
        [step] = session.scalars(select(Step).where(Step.state == StepState.READY))
        waiting = StepMessage(step.id, step.kind, step.queue, 0)
    worker.run_all([waiting] * 2)

    sentences = assert_grounded(cluster, job)

    [step] = read_steps(cluster, job, "stuff")
    assert (step.attempt, len(step.sentences)) == (2, len(sentences))


def test_a_result_that_comes_after_the_rescue_leaves_the_sentences_of_the_other(cluster: Cluster) -> None:
    [job], [step_message] = add_jobs(cluster.engine, [DOCUMENT], options=choose_options("stuff"))
    late = HandDrivenWorker(cluster.engine, FakeGenerator(tell_truth))
    late.run_step(step_message.step_id)
    [stuff] = late.bell.waiting
    claim = late.executor.claim(stuff.step_id)
    assert claim is not None
    lose_lease(cluster.engine, stuff.step_id)
    HandDrivenWorker(cluster.engine, FakeGenerator(invent_half), node="w2").run_all([stuff])
    before = assert_grounded(cluster, job)

    late.executor.run(claim)

    assert assert_grounded(cluster, job) == before
    assert {sentence.kind for sentence in before} == {"verified", "quoted"}
