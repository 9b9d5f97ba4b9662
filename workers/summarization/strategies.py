"""Strategies as pure state machines: given how a job's steps ended, what comes next.

``next_steps`` is asked at a barrier, when every step so far has finished, and answers with the next wave or with the
end of the job. It keeps no state of its own: the same steps always give the same answer, in any process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from workers.summarization.errors import StateError
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
    """Return the next wave of a job, or its summary.

    Raises:
        StateError: the steps are not those of the strategy.
    """
    if state.chunk_count < 1:
        raise StateError("a job needs at least one chunk: plan it again")
    match state.strategy:
        case "stuff":
            return _stuff(state)
        case "map-reduce":
            return _map_reduce(state)
        case "refine":
            return _refine(state)


def _stuff(state: JobProgress) -> NextSteps | Conclusion:
    if not state.steps:
        chunks = tuple(ChunkInput(index) for index in range(state.chunk_count))
        return NextSteps((StepSpec(StepKey("stuff", 0, 0), chunks),))
    return conclude(state, state.steps[-1] if state.steps[-1].is_done else None)


def _map_reduce(state: JobProgress) -> NextSteps | Conclusion:
    """Map every chunk side by side, then combine the outputs level by level."""
    if not state.steps:
        return NextSteps(
            tuple(StepSpec(StepKey("map", 0, index), (ChunkInput(index),)) for index in range(state.chunk_count))
        )
    return reduce_outputs(state)


def _refine(state: JobProgress) -> NextSteps | Conclusion:
    """Take the chunks one at a time, each with the latest summary; a failed chunk is passed over."""
    done = [step for step in state.steps if step.is_done]
    index = len(state.steps)
    if index == state.chunk_count:
        return conclude(state, done[-1] if done else None)
    earlier = (done[-1].spec.key,) if done else ()
    return NextSteps((StepSpec(StepKey("refine", 0, index), (*earlier, ChunkInput(index))),))


def reduce_outputs(state: JobProgress) -> NextSteps | Conclusion:
    """Return the next level of combining, the final one, or the end of a map-reduce job."""
    outputs = [step for step in state.steps if step.spec.key.kind == "map" and step.is_done]
    last_level = max(step.spec.key.level for step in state.steps)
    for level in range(1, last_level + 1):
        outputs = _replace_inputs(outputs, [step for step in state.steps if step.spec.key.level == level])
    if len(outputs) <= 1:
        return conclude(state, outputs[0] if outputs else None)
    return NextSteps(tuple(_combine(state, outputs, level=last_level + 1)))


def group_costs(costs: Sequence[int], room: int) -> list[range]:
    """Group neighbours so that no group costs more than the room, in about equal groups of two or more.

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
    """Yield the final step if everything fits it, else one step for each group of this level."""
    costs = [state.limits.cost_output(output.tokens) for output in outputs]
    keys = [output.spec.key for output in outputs]
    if sum(costs) <= state.limits.combine_room:
        yield StepSpec(StepKey("reduce", level, 0), tuple(keys))
        return
    for index, group in enumerate(group_costs(costs, state.limits.combine_room)):
        if len(group) > 1:
            yield StepSpec(StepKey("collapse", level, index), tuple(keys[group.start : group.stop]))


def _replace_inputs(outputs: Sequence[FinishedStep], combined: Sequence[FinishedStep]) -> list[FinishedStep]:
    """Put every combining step in the place of its inputs; a failed one leaves nothing there."""
    replaced: list[FinishedStep] = []
    owner = {key: step for step in combined for key in step.spec.inputs}
    for output in outputs:
        step = owner.get(output.spec.key, output)
        if step.is_done and (not replaced or replaced[-1] is not step):
            replaced.append(step)
    return replaced


def conclude(state: JobProgress, last: FinishedStep | None) -> Conclusion:
    """Return the job's summary: the output of its last step, with what is missing or marked anywhere in the job."""
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
    """Return the chunks that an output is made from, of itself alone for a refine step."""
    if isinstance(key, ChunkInput):
        return [key.index]
    inputs = steps[key].spec.inputs
    own = [chunk for chunk in inputs if isinstance(chunk, ChunkInput)] or inputs
    return [index for each in own for index in _list_chunks(each, steps)]


def _name_place(chunks: list[int], total: int) -> str:
    first, last = min(chunks) + 1, max(chunks) + 1
    if first == 1 and last == total:
        return "the whole document"
    return f"part {first} of {total}" if first == last else f"parts {first} to {last} of {total}"
