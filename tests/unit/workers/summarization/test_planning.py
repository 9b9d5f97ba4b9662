from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.summarization.counters import CharacterCounter, CrossCounter, WordCounter
from tests.unit.workers.summarization.jobs import start_run
from tests.unit.workers.summarization.texts import documents
from workers.generation import FinishReason, GenerationParams, PromptFormat
from workers.summarization.chunks import Splitter
from workers.summarization.errors import PlanError
from workers.summarization.limits import Limits
from workers.summarization.planning import Plan, PlanOptions, SourceDocument, plan_job
from workers.summarization.prompts import PromptSet
from workers.summarization.rendering import RenderedStep
from workers.summarization.steps import ChunkInput, StepKey, StepSpec

SECTIONS = "".join(f"## Section {number}\n\n{'Some words of it. ' * 10}\n\n" for number in range(8))
NEWS = PromptSet("news", PromptFormat.COMPLETION)


def plan(
    text: str = SECTIONS, *, context: int = 2000, answer: int = 100, check_rate: float | None = None, **options: object
) -> Plan:
    return plan_job(
        SourceDocument(text, "markdown"),
        PlanOptions(**options),  # type: ignore[arg-type]
        prompts=NEWS,
        counter=CharacterCounter(),
        context_tokens=context,
        max_new_tokens=answer,
        check_rate=check_rate,
    )


def test_auto_stuffs_a_document_that_fits_with_room_for_the_answer() -> None:
    found = plan("Few words.")
    assert found.strategy == "stuff"
    assert found.first_steps == (StepSpec(StepKey("stuff", 0, 0), (ChunkInput(0),)),)
    assert found.reason == "the document has 10 tokens and fits one prompt with room for the answer"


def test_auto_maps_and_reduces_a_document_that_does_not_fit() -> None:
    found = plan(context=1000, chunk_tokens=250)
    assert (found.strategy, len(found.split.chunks)) == ("map-reduce", 8)
    assert found.reason == "the document has 1,565 tokens and at most 867 are stuffed into one prompt"


def test_auto_stuffs_no_more_than_it_may() -> None:
    assert plan("Ten tokens", stuff_tokens=10).strategy == "stuff"
    assert plan("Ten tokens", stuff_tokens=9).strategy == "map-reduce"


@pytest.mark.parametrize(("rate", "strategy"), [(None, "stuff"), (0.5, "stuff"), (1.0, "stuff"), (0.49, "extract")])
def test_auto_quotes_where_the_weights_pass_their_check_too_seldom(rate: float | None, strategy: str) -> None:
    assert plan("Few words.", check_rate=rate).strategy == strategy


def test_the_reason_of_an_extract_has_the_check_rate_and_one_that_was_asked_for_has_not() -> None:
    assert plan(check_rate=0.384).reason == (
        "38% of the sentences that these weights write pass their check, and auto lets weights write from 50% on"
    )
    assert plan(strategy="extract").reason == "extract was asked for"
    assert plan(strategy="map-reduce", check_rate=0.1).strategy == "map-reduce"


def test_an_extract_is_one_step_without_calls_whatever_the_context() -> None:
    found = plan(strategy="extract", context=200, answer=9000)
    assert found.first_steps == (StepSpec(StepKey("extract", 0, 0), (ChunkInput(0),)),)
    assert (found.totals.calls, found.totals.depth) == (0, 0)
    assert found.totals.estimate_seconds(prompt_rate=100, completion_rate=10, slots=1) == 0


def test_the_chunk_of_a_stuffed_document_is_the_whole_document() -> None:
    found = plan("\n# A\n\nx\n\n# B\n\ny\n")
    assert [(chunk.start, chunk.end, chunk.headings) for chunk in found.split.chunks] == [(1, 15, ())]


def test_stuffing_what_does_not_fit_is_refused_with_a_way_out() -> None:
    words = r"at most 867 of them beside its answer: use the strategy map-reduce or refine"
    with pytest.raises(PlanError, match=words):
        plan(context=1000, strategy="stuff")


@pytest.mark.parametrize("text", [" \n", "\u200b", "---"])
def test_a_document_without_words_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="no text"):
        plan(text)


@pytest.mark.parametrize("strategy", ["map-reduce", "refine"])
@pytest.mark.parametrize("answer", [500, 900, 2000])
def test_an_answer_that_leaves_no_room_is_refused_with_the_most_that_does(strategy: str, answer: int) -> None:
    with pytest.raises(PlanError, match=r"set max_new_tokens to (\d+) or less") as refusal:
        plan(context=1000, answer=answer, strategy=strategy)
    most = int(str(refusal.value).split(" or less")[0].split()[-1])
    assert plan(context=1000, answer=most, strategy=strategy, chunk_tokens=250).totals.calls >= 8
    with pytest.raises(PlanError):
        plan(context=1000, answer=most + 10, strategy=strategy)


def test_a_context_smaller_than_the_prompt_is_refused() -> None:
    with pytest.raises(PlanError, match="weights with a longer context or a shorter prompt"):
        plan(context=40, answer=10, strategy="refine")


def test_chunks_shrink_to_what_the_context_allows() -> None:
    found = plan(context=400, chunk_tokens=1000, strategy="refine")
    assert max(chunk.tokens for chunk in found.split.chunks) <= found.limits.refine_room < 1000


def test_totals_are_those_of_the_longest_answers() -> None:
    found = plan(context=1000, chunk_tokens=250)
    assert (found.totals.calls, found.totals.depth) == (9, 2)
    assert found.totals.completion_tokens == 900


@pytest.mark.parametrize(("slots", "rounds"), [(16, 2), (9, 2), (3, 3), (1, 9)])
def test_the_estimate_of_time_reads_in_turn_and_writes_side_by_side(slots: int, rounds: int) -> None:
    totals = plan(context=1000, chunk_tokens=250).totals
    seconds = totals.estimate_seconds(prompt_rate=100, completion_rate=10, slots=slots)
    assert seconds == totals.prompt_tokens / 100 + rounds * 100 / 10


def test_limits_survive_being_stored_as_plain_numbers() -> None:
    limits = plan().limits
    assert Limits(**asdict(limits)) == limits


@given(
    text=documents.filter(lambda text: any(map(str.isalnum, text))),
    strategy=st.sampled_from(["auto", "stuff", "map-reduce", "refine"]),
    splitter=st.sampled_from(["auto", "headers", "character", "recursive", "tokens"]),
    context=st.integers(60, 800),
    answer=st.integers(4, 120),
    counter=st.sampled_from([CharacterCounter(), WordCounter(), CrossCounter()]),
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=9),
)
def test_a_planned_job_runs_to_its_end_and_every_prompt_fits_whatever_the_answers(
    text: str,
    strategy: str,
    splitter: Splitter,
    context: int,
    answer: int,
    counter: CharacterCounter,
    lengths: list[int],
) -> None:
    options = PlanOptions(strategy=strategy, splitter=splitter, chunk_tokens=200)  # type: ignore[arg-type]
    try:
        run = start_run(
            SourceDocument(text, "markdown"), options, counter=counter, context=context, answer=answer, prompts=NEWS
        )
    except PlanError:
        return
    calls = 0

    def engine(_: RenderedStep, __: GenerationParams) -> tuple[str, FinishReason]:
        nonlocal calls
        calls += 1
        return "word. and? " * lengths[calls % len(lengths)], FinishReason.STOP

    summary = run.finish(engine)
    assert summary.step is not None
    if all(len("word. and? " * length) <= answer for length in lengths):
        assert len(run.rendered) <= run.plan.totals.calls
