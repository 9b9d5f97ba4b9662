"""Strategies as pure functions from the finished steps of a job to its next wave of steps or its end.

``next_steps`` is called at a barrier, when every step so far has finished. It keeps no state: the same steps give the
same result in any process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from workers.summarization.errors import StateError
from workers.summarization.grouping import group_by_content
from workers.summarization.steps import (
    ChunkInput,
    Conclusion,
    FinishedStep,
    JobProgress,
    NextSteps,
    StepInput,
    StepKey,
    StepSpec,
)


def next_steps(state: JobProgress) -> NextSteps | Conclusion:
    """Return the next wave of a job, or its conclusion.

    Raises:
        StateError: the steps are not those of the strategy.
    """
    if state.chunk_count < 1:
        raise StateError("a job needs at least one chunk: plan it again")
    match state.strategy:
        case "stuff" | "extract" as kind:
            return _run_once(state, kind)
        case "map-reduce":
            return _map_reduce(state)
        case "refine":
            return _refine(state)


def _run_once(state: JobProgress, kind: Literal["stuff", "extract"]) -> NextSteps | Conclusion:
    """Process the whole document in one step."""
    if not state.steps:
        chunks = tuple(ChunkInput(index) for index in range(state.chunk_count))
        return NextSteps((StepSpec(StepKey(kind, 0, 0), chunks),))
    return conclude(state, state.steps[-1] if state.steps[-1].is_done else None)


def _map_reduce(state: JobProgress) -> NextSteps | Conclusion:
    """Map all chunks in one wave, then combine the outputs level by level."""
    if not state.steps:
        return NextSteps(
            tuple(StepSpec(StepKey("map", 0, index), (ChunkInput(index),)) for index in range(state.chunk_count))
        )
    return reduce_outputs(state)


def _refine(state: JobProgress) -> NextSteps | Conclusion:
    """Process the chunks sequentially, each with the latest summary; skip failed ones."""
    done = [step for step in state.steps if step.is_done]
    index = len(state.steps)
    if index == state.chunk_count:
        return conclude(state, done[-1] if done else None)
    earlier = (done[-1].spec.key,) if done else ()
    return NextSteps((StepSpec(StepKey("refine", 0, index), (*earlier, ChunkInput(index))),))


def reduce_outputs(state: JobProgress) -> NextSteps | Conclusion:
    """Return the next collapse level, the final reduce step, or the end of a map-reduce job."""
    outputs = [step for step in state.steps if step.spec.key.kind == "map" and step.is_done]
    last_level = max(step.spec.key.level for step in state.steps)
    for level in range(1, last_level + 1):
        outputs = _replace_inputs(outputs, [step for step in state.steps if step.spec.key.level == level])
    if len(outputs) <= 1:
        return conclude(state, outputs[0] if outputs else None)
    return NextSteps(tuple(_combine(state, outputs, level=last_level + 1)))


def group_costs(costs: Sequence[int], room: int) -> list[range]:
    """Partition neighbours into groups of about equal cost, each of at least two members and within the room.

    Only the last group may have a single member.
    """
    share = sum(costs) / -(-sum(costs) // room)
    groups: list[range] = []
    start = taken = 0
    for index, cost in enumerate(costs):
        is_full = taken + cost > room or taken + cost / 2 > share
        if index - start >= 2 and is_full:
            groups.append(range(start, index))
            start, taken = index, 0
        taken += cost
    return [*groups, range(start, len(costs))]


def _combine(state: JobProgress, outputs: Sequence[FinishedStep], *, level: int) -> Iterator[StepSpec]:
    """Yield the final step if all outputs fit one prompt, else one step for each group of this level."""
    costs = [state.limits.cost_output(output.tokens) for output in outputs]
    keys = [output.spec.key for output in outputs]
    if sum(costs) <= state.limits.combine_room:
        yield StepSpec(StepKey("reduce", level, 0), tuple(keys))
        return
    for index, group in enumerate(_group(state, outputs, costs)):
        if len(group) > 1:
            yield StepSpec(StepKey("collapse", level, index), tuple(keys[group.start : group.stop]))


def _group(state: JobProgress, outputs: Sequence[FinishedStep], costs: Sequence[int]) -> list[range]:
    if not state.is_stable:
        return group_costs(costs, state.limits.combine_room)
    marks = [output.mark for output in outputs]
    return group_by_content(costs, marks, room=state.limits.combine_room, least=2)


def _replace_inputs(outputs: Sequence[FinishedStep], combined: Sequence[FinishedStep]) -> list[FinishedStep]:
    """Replace the inputs of every combining step by the step; drop them if it failed."""
    replaced: list[FinishedStep] = []
    owner = {key: step for step in combined for key in step.spec.inputs}
    for output in outputs:
        step = owner.get(output.spec.key, output)
        if step.is_done and (not replaced or replaced[-1] is not step):
            replaced.append(step)
    return replaced


def conclude(state: JobProgress, last: FinishedStep | None) -> Conclusion:
    """Return the end of a job: its last step, with all missing or marked parts as reasons."""
    reasons = tuple(_list_reasons(state))
    if last is None:
        return Conclusion(outcome="failed", step=None, reasons=reasons)
    return Conclusion(outcome="partial" if reasons else "succeeded", step=last.spec.key, reasons=reasons)


def _list_reasons(state: JobProgress) -> Iterator[str]:
    steps = {step.spec.key: step for step in state.steps}
    for key, step in steps.items():
        place = _name_place(_list_chunks(key, steps), state.chunk_count)
        for note in step.notes or (() if step.is_done else ("it failed",)):
            yield f"{place}, step {key}: {note}" if step.is_done else f"{place}, missing: {note}"


def _list_chunks(key: StepInput, steps: Mapping[StepKey, FinishedStep]) -> list[int]:
    """Return the indices of the chunks behind an output; for a refine step, its own chunk alone."""
    if isinstance(key, ChunkInput):
        return [key.index]
    inputs = steps[key].spec.inputs
    own = [chunk for chunk in inputs if isinstance(chunk, ChunkInput)] or inputs
    return [index for source in own for index in _list_chunks(source, steps)]


def _name_place(chunks: list[int], total: int) -> str:
    first, last = min(chunks) + 1, max(chunks) + 1
    if first == 1 and last == total:
        return "the whole document"
    return f"part {first} of {total}" if first == last else f"parts {first} to {last} of {total}"
