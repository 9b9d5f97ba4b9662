from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.summarization.errors import StateError
from workers.summarization.limits import Limits
from workers.summarization.steps import (
    ChunkInput,
    Conclusion,
    FinishedStep,
    JobProgress,
    NextSteps,
    StepKey,
    StepSpec,
    Strategy,
)
from workers.summarization.strategies import group_costs, next_steps

# Room for three answers of 100 tokens in a combine prompt.
LIMITS = Limits(
    context_tokens=450, max_new_tokens=100, output_tokens=100, map_frame=20, combine_frame=30, refine_frame=40
)


def start(strategy: Strategy, chunks: int, limits: Limits = LIMITS) -> JobProgress:
    return JobProgress(strategy, limits, chunks)


def advance(state: JobProgress, *tokens: int | None) -> JobProgress:
    """Finish the next wave; None in the place of a size means that the step failed."""
    wave = next_steps(state)
    assert isinstance(wave, NextSteps)
    sizes = tokens if len(tokens) > 1 else tokens * len(wave.steps)
    finished = tuple(
        FinishedStep(spec, is_done=size is not None, tokens=size or 0, notes=() if size else ("no answer",))
        for spec, size in zip(wave.steps, sizes, strict=True)
    )
    return replace(state, steps=(*state.steps, *finished))


def list_keys(state: JobProgress) -> list[str]:
    wave = next_steps(state)
    assert isinstance(wave, NextSteps)
    return [str(spec.key) for spec in wave.steps]


def end(state: JobProgress) -> Conclusion:
    summary = next_steps(state)
    assert isinstance(summary, Conclusion)
    return summary


def test_stuff_is_one_call_with_the_whole_document() -> None:
    state = start("stuff", 1)
    assert next_steps(state) == NextSteps((StepSpec(StepKey("stuff", 0, 0), (ChunkInput(0),)),))
    assert end(advance(state, 50)) == Conclusion("succeeded", StepKey("stuff", 0, 0), ())


def test_map_reduce_maps_all_chunks_in_one_wave_and_reduces_what_fits_in_one_step() -> None:
    state = start("map-reduce", 3)
    assert list_keys(state) == ["map 0.0", "map 0.1", "map 0.2"]
    state = advance(state, 80)
    wave = next_steps(state)
    keys = tuple(StepKey("map", 0, index) for index in range(3))
    assert wave == NextSteps((StepSpec(StepKey("reduce", 1, 0), keys),))
    assert end(advance(state, 60)) == Conclusion("succeeded", StepKey("reduce", 1, 0), ())


def test_outputs_that_do_not_fit_one_prompt_are_collapsed_first() -> None:
    state = advance(start("map-reduce", 6), 100)
    assert list_keys(state) == ["collapse 1.0", "collapse 1.1"]
    assert list_keys(advance(state, 100)) == ["reduce 2.0"]


def test_a_single_output_that_fits_no_group_goes_on_to_the_next_level_unchanged() -> None:
    state = advance(start("map-reduce", 7), 100, 100, 100, 100, 100, 100, 10)
    state = advance(state, 100)
    wave = next_steps(state)
    assert isinstance(wave, NextSteps)
    assert {type(each) for each in wave.steps[0].inputs} == {StepKey}
    leaves = [step.spec.inputs for step in state.steps if step.spec.key.kind == "collapse"]
    used = {key for inputs in leaves for key in inputs} | set(wave.steps[0].inputs)
    assert {StepKey("map", 0, index) for index in range(7)} <= used


def test_one_chunk_needs_no_reduce() -> None:
    assert end(advance(start("map-reduce", 1), 30)) == Conclusion("succeeded", StepKey("map", 0, 0), ())


def test_a_failed_map_step_leaves_its_siblings_and_makes_the_summary_partial() -> None:
    state = advance(advance(start("map-reduce", 3), 50, None, 50), 40)
    assert end(state) == Conclusion("partial", StepKey("reduce", 1, 0), ("part 2 of 3, missing: no answer",))


def test_the_only_map_step_that_is_left_is_the_summary() -> None:
    state = advance(start("map-reduce", 3), None, 50, None)
    assert end(state).step == StepKey("map", 0, 1)


def test_a_job_without_any_output_has_failed() -> None:
    summary = end(advance(start("map-reduce", 2), None))
    assert (summary.outcome, summary.step, len(summary.reasons)) == ("failed", None, 2)


def test_a_failed_collapse_step_says_which_parts_are_missing() -> None:
    state = advance(advance(start("map-reduce", 6), 100), None, 50)
    summary = end(state)
    assert summary == Conclusion("partial", StepKey("collapse", 1, 1), ("parts 1 to 3 of 6, missing: no answer",))


def test_a_failed_reduce_step_fails_the_job() -> None:
    summary = end(advance(advance(start("map-reduce", 2), 50), None))
    assert (summary.outcome, summary.reasons) == ("failed", ("the whole document, missing: no answer",))


def test_a_marked_output_makes_the_job_partial_and_is_named() -> None:
    state = advance(start("map-reduce", 2), 50)
    marked = replace(state.steps[0], notes=("the answer repeats itself",))
    summary = end(advance(replace(state, steps=(marked, state.steps[1])), 40))
    assert summary.outcome == "partial"
    assert summary.reasons == ("part 1 of 2, step map 0.0: the answer repeats itself",)


def test_refine_takes_one_chunk_at_a_time_with_the_summary_so_far() -> None:
    state = advance(start("refine", 3), 50)
    wave = next_steps(state)
    assert wave == NextSteps((StepSpec(StepKey("refine", 0, 1), (StepKey("refine", 0, 0), ChunkInput(1))),))
    assert end(advance(advance(state, 60), 70)) == Conclusion("succeeded", StepKey("refine", 0, 2), ())


def test_refine_passes_over_a_failed_chunk() -> None:
    state = advance(advance(start("refine", 3), 50), None)
    wave = next_steps(state)
    assert isinstance(wave, NextSteps)
    assert wave.steps[0].inputs == (StepKey("refine", 0, 0), ChunkInput(2))
    summary = end(advance(state, 60))
    assert (summary.outcome, summary.reasons) == ("partial", ("part 2 of 3, missing: no answer",))


def test_refine_begins_with_the_next_chunk_if_the_first_one_failed() -> None:
    wave = next_steps(advance(start("refine", 2), None))
    assert wave == NextSteps((StepSpec(StepKey("refine", 0, 1), (ChunkInput(1),)),))


def test_a_refine_job_whose_last_chunk_failed_keeps_the_summary_so_far() -> None:
    summary = end(advance(advance(start("refine", 2), 50), None))
    assert (summary.outcome, summary.step) == ("partial", StepKey("refine", 0, 0))


def test_a_job_without_chunks_is_refused() -> None:
    with pytest.raises(StateError, match="at least one chunk"):
        next_steps(start("refine", 0))


@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(1, 5000)), min_size=1, max_size=60),
    later=st.lists(st.one_of(st.none(), st.integers(1, 5000)), min_size=1, max_size=20),
    strategy=st.sampled_from(["map-reduce", "refine"]),
    room=st.integers(208, 2000),
)
def test_every_job_ends_with_unique_steps_that_fit_and_no_output_is_forgotten(
    sizes: list[int | None], later: list[int | None], strategy: Strategy, room: int
) -> None:
    limits = replace(LIMITS, context_tokens=room + LIMITS.combine_frame + LIMITS.max_new_tokens)
    state = start(strategy, len(sizes), limits)
    waves = 0
    while isinstance(wave := next_steps(state), NextSteps):
        waves += 1
        assert waves <= 2 * len(sizes)
        outputs = {step.spec.key: step for step in state.steps if step.is_done}
        for spec in wave.steps:
            earlier = [outputs[each].tokens for each in spec.inputs if isinstance(each, StepKey)]
            if spec.key.kind in ("collapse", "reduce"):
                assert len(earlier) >= 2
                assert sum(limits.cost_output(tokens) for tokens in earlier) <= limits.combine_room
        drawn = sizes if waves == 1 else [later[(waves + n) % len(later)] for n in range(len(wave.steps))]
        finished = tuple(
            FinishedStep(spec, is_done=size is not None, tokens=size or 0)
            for spec, size in zip(wave.steps, drawn, strict=False)
        )
        state = replace(state, steps=(*state.steps, *finished))
    keys = [step.spec.key for step in state.steps]
    assert len(set(keys)) == len(keys)
    assert {key.index for key in keys if key.kind in ("map", "refine")} == set(range(len(sizes)))
    failed = [step for step in state.steps if not step.is_done]
    used = {each for step in state.steps if step.is_done for each in step.spec.inputs}
    lost = {each for step in failed for each in step.spec.inputs}
    # An output that no later one is made from is the summary itself, or the reasons tell of the step that lost it.
    assert {step.spec.key for step in state.steps if step.is_done} - used - lost <= {wave.step}
    assert len(wave.reasons) == len(failed)
    assert (wave.outcome == "succeeded") == (not failed)


@given(costs=st.lists(st.integers(1, 100), min_size=2, max_size=80), room=st.integers(200, 1000))
def test_groups_are_neighbours_that_fit_and_only_the_last_may_be_single(costs: list[int], room: int) -> None:
    groups = group_costs(costs, room)
    assert [index for group in groups for index in group] == list(range(len(costs)))
    assert all(sum(costs[index] for index in group) <= room for group in groups)
    assert all(len(group) >= 2 for group in groups[:-1])


def test_groups_are_about_equal() -> None:
    assert [len(group) for group in group_costs([100] * 21, 1000)] == [7, 7, 7]
