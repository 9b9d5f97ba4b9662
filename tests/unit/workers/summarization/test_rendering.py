from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.workers.summarization.counters import CharacterCounter
from workers.generation import GenerationParams, Part, Prompt, PromptFormat, Turn
from workers.summarization.errors import StateError
from workers.summarization.limits import Limits, measure_limits
from workers.summarization.prompts import PromptSet
from workers.summarization.rendering import RenderedStep, StepRenderer, identify_step
from workers.summarization.steps import ChunkInput, StepKey, StepSpec

PROMPTS = PromptSet("news", PromptFormat.COMPLETION)
CHUNKS = {0: "first chunk", 1: "second chunk"}
MAPS = (StepKey("map", 0, 0), StepKey("map", 0, 1))


def make_limits(context: int = 500, answer: int = 50) -> Limits:
    return measure_limits(PROMPTS, CharacterCounter(), context_tokens=context, max_new_tokens=answer, chunk_tokens=100)


def render(spec: StepSpec, outputs: dict[StepKey, str] | None = None, limits: Limits | None = None) -> RenderedStep:
    renderer = StepRenderer(PROMPTS, limits or make_limits(), CharacterCounter())
    return renderer.render_step(spec, chunk_texts=CHUNKS, outputs=outputs or {})


def test_a_map_step_asks_for_the_summary_of_its_chunk() -> None:
    rendered = render(StepSpec(MAPS[1], (ChunkInput(1),)))
    assert rendered.prompt == PROMPTS.render("map", text="second chunk")
    assert (rendered.source, rendered.notes) == ("second chunk", ())


@pytest.mark.parametrize("kind", ["collapse", "reduce"])
def test_a_combining_step_holds_its_outputs_in_order(kind: str) -> None:
    spec = StepSpec(StepKey(kind, 1, 0), MAPS)  # type: ignore[arg-type]
    rendered = render(spec, {MAPS[1]: "later", MAPS[0]: "sooner"})
    assert rendered.prompt == PROMPTS.render("combine", text="sooner\n\nlater")


def test_refine_begins_with_a_chunk_and_goes_on_with_the_summary_so_far() -> None:
    first, second = StepKey("refine", 0, 0), StepKey("refine", 0, 1)
    assert render(StepSpec(first, (ChunkInput(0),))).prompt == PROMPTS.render("refine-first", text="first chunk")
    rendered = render(StepSpec(second, (first, ChunkInput(1))), {first: "so far"})
    assert rendered.prompt == PROMPTS.render("refine-next", text="second chunk", existing="so far")
    assert rendered.source == "so far\n\nsecond chunk"


def test_the_tokens_are_those_of_the_whole_prompt() -> None:
    rendered = render(StepSpec(StepKey("stuff", 0, 0), (ChunkInput(0),)))
    assert rendered.tokens == CharacterCounter().count_prompt_tokens(rendered.prompt)


def test_an_output_longer_than_planned_is_clipped_at_a_word_and_the_clipping_is_noted() -> None:
    limits = make_limits()
    long = "words of ten " * 40
    rendered = render(StepSpec(StepKey("reduce", 1, 0), MAPS), {MAPS[0]: long, MAPS[1]: "short"}, limits)
    kept = rendered.source.split("\n\n")[0]
    assert long.startswith(kept)
    assert 0 < len(kept) <= limits.output_tokens
    assert rendered.notes == (f"only the first {len(kept)} of the 520 characters of step map 0.0 fit its prompt",)


def test_more_outputs_than_fit_share_the_room_that_there_is() -> None:
    limits = make_limits()
    keys = tuple(StepKey("map", 0, index) for index in range(20))
    rendered = render(StepSpec(StepKey("reduce", 1, 0), keys), dict.fromkeys(keys, "ten words " * 10), limits)
    assert rendered.tokens <= limits.prompt_tokens
    assert len(rendered.notes) == 20


def test_a_chunk_that_is_not_of_this_plan_is_refused() -> None:
    renderer = StepRenderer(PROMPTS, make_limits(), CharacterCounter())
    with pytest.raises(StateError, match=r"step map 0\.0 does not fit the context"):
        renderer.render_step(StepSpec(MAPS[0], (ChunkInput(0),)), chunk_texts={0: "x" * 1000}, outputs={})


PROMPT = Prompt((Turn("user", (Part("Summarize: "), Part("text", is_untrusted=True))),))
PARAMS = GenerationParams(do_sample=False)


def identify(prompt: Prompt = PROMPT, params: GenerationParams = PARAMS, words: str = "w", weights: str = "g") -> str:
    return identify_step(prompt, params, prompt_fingerprint=words, weights_fingerprint=weights)


def test_equal_steps_have_the_same_identity() -> None:
    again = Prompt((Turn("user", (Part("Summarize: "), Part("text", is_untrusted=True))),))
    assert identify(again) == identify()
    assert len(identify()) == 64


def test_whatever_changes_the_output_changes_the_identity() -> None:
    trusted = Prompt((Turn("user", (Part("Summarize: "), Part("text"))),))
    others = {
        identify(trusted),
        identify(replace(PROMPT, format=PromptFormat.COMPLETION)),
        identify(replace(PROMPT, stop=("\n",))),
        identify(params=replace(PARAMS, max_new_tokens=7)),
        identify(params=replace(PARAMS, seed=1)),
        identify(words="other"),
        identify(weights="other"),
    }
    assert len(others | {identify()}) == 8
