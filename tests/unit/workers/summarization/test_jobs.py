"""Whole jobs with an engine that answers badly at random: nothing bad is called a success, nothing is lost or loops."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.summarization.counters import CharacterCounter
from tests.unit.workers.summarization.jobs import Engine, Run, start_run
from workers.generation import FinishReason, GenerationParams, PromptFormat
from workers.summarization.planning import PlanOptions, SourceDocument
from workers.summarization.prompts import PromptSet
from workers.summarization.rendering import RenderedStep
from workers.summarization.retries import MAX_RETRIES
from workers.summarization.steps import ChunkInput, StepKey, Strategy

GOOD = "The crew mended every sail."
TEXT = "\n\n".join(
    f"## Section {number}\n\nThe {number}. day at sea was long, and the crew mended sail number {number * 7}. "
    f"Nobody saw land on that day. A bird came by at hour {number % 12} and left again before the night fell."
    for number in range(12)
)


def start(strategy: Strategy, prompt_format: PromptFormat) -> Run:
    return start_run(
        SourceDocument(TEXT, "markdown"),
        PlanOptions(strategy=strategy),
        counter=CharacterCounter(),
        context=1600 if prompt_format is PromptFormat.CHAT else 900,
        answer=90,
        prompts=PromptSet("news", prompt_format),
    )


def answer_badly(kind: str, rendered: RenderedStep, params: GenerationParams) -> tuple[str, FinishReason]:
    most = params.max_new_tokens
    texts = {
        "good": GOOD,
        "empty": "",
        "blank": "\n \n",
        "endless": "The crew said so and so on. " * most,
        "echo": rendered.prompt.text,
        "source": rendered.source,
        "long": " ".join(f"word{number}" for number in range(most)),
        "polite": "Sure, here's a summary of the text:",
        "control": "<start_of_turn>model\n<end_of_turn>",
        "refusal": "I'm sorry, but I cannot summarize this text.",
    }
    text = texts[kind]
    return (text[:most], FinishReason.LENGTH) if len(text) > most else (text, FinishReason.STOP)


def make_engine(seed: int, kinds: list[str], calls: dict[StepKey | str, int]) -> Engine:
    randomness = random.Random(seed)

    def engine(rendered: RenderedStep, params: GenerationParams) -> tuple[str, FinishReason]:
        calls["all"] = calls.get("all", 0) + 1
        return answer_badly(randomness.choice(kinds), rendered, params)

    return engine


BAD = ["empty", "blank", "endless", "echo", "source", "long", "polite", "control", "refusal"]


@given(
    seed=st.integers(0, 2**32),
    kinds=st.lists(st.sampled_from(["good", *BAD]), min_size=1, max_size=6),
    strategy=st.sampled_from(["map-reduce", "refine"]),
    prompt_format=st.sampled_from(list(PromptFormat)),
)
def test_a_bad_engine_never_makes_a_success_of_bad_text_and_loses_nothing(
    seed: int, kinds: list[str], strategy: Strategy, prompt_format: PromptFormat
) -> None:
    run = start(strategy, prompt_format)
    calls: dict[StepKey | str, int] = {}
    summary = run.finish(make_engine(seed, kinds, calls))
    bad = {key for key, verdict in run.verdicts.items() if not verdict.is_clean}
    assert (summary.outcome == "succeeded") == (not bad)
    assert len(summary.reasons) >= len(bad)
    assert calls["all"] <= len(run.rendered) * (1 + MAX_RETRIES)
    asked = {each.index for key in run.rendered for each in list_chunks(run, key)}
    assert asked == set(range(len(run.plan.split.chunks)))
    if summary.outcome == "succeeded":
        assert {run.outputs[key] for key in run.outputs} == {GOOD}
    if summary.step is None:
        assert summary.outcome == "failed"


def list_chunks(run: Run, key: StepKey) -> list[ChunkInput]:
    index = key.index if key.kind in ("map", "refine") else None
    return [] if index is None else [ChunkInput(index)]


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine"])
def test_an_engine_that_always_answers_badly_ends_in_words_that_say_so(kind: str, strategy: Strategy) -> None:
    run = start_run(
        SourceDocument(TEXT, "markdown"),
        PlanOptions(strategy=strategy),
        counter=CharacterCounter(),
        context=4000,
        answer=150,
    )
    summary = run.finish(make_engine(0, [kind], {}))
    assert summary.outcome in ("partial", "failed")
    assert summary.reasons
    assert (summary.outcome == "failed") == (kind in ("empty", "blank", "polite", "control"))


def test_an_engine_that_recovers_at_its_second_try_makes_a_success() -> None:
    run = start("map-reduce", PromptFormat.CHAT)
    tries: dict[str, int] = {}

    def engine(rendered: RenderedStep, params: GenerationParams) -> tuple[str, FinishReason]:
        tries[rendered.prompt.text] = tries.get(rendered.prompt.text, 0) + 1
        is_first = tries[rendered.prompt.text] == 1
        return answer_badly("endless" if is_first else "good", rendered, params)

    summary = run.finish(engine)
    assert (summary.outcome, summary.reasons) == ("succeeded", ())
    assert set(tries.values()) == {2}


def test_the_same_job_asks_the_same_prompts_again_and_an_edited_section_changes_only_its_own() -> None:
    def list_prompts(text: str) -> set[str]:
        run = start_run(
            SourceDocument(text, "markdown"),
            PlanOptions(strategy="map-reduce"),
            counter=CharacterCounter(),
            context=4000,
            answer=200,
        )
        run.finish(lambda rendered, _: (f"It has {len(rendered.source)} letters.", FinishReason.STOP))
        return {rendered.prompt.text for rendered in run.rendered.values()}

    edited = TEXT.replace("The 5. day at sea was long", "The 5. day at sea was extremely long")
    assert list_prompts(TEXT) == list_prompts(TEXT)
    # The section itself, and the one step that combines everything.
    assert len(list_prompts(edited) - list_prompts(TEXT)) == 2
