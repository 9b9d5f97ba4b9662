"""Collapse: combine the outputs of a wave, in as many levels as it takes until one prompt holds them all.

Why it ends: a level has n outputs, at least two of which do not fit one prompt together. ``Limits`` keeps room for any
two of them in a combine prompt, so the first group of the level takes at least two and makes one output (or none) of
them: the next level has at most n - 1. Why it fits: an output enters a prompt with at most ``output_tokens``, and a
group is closed before its costs exceed the room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workers.summarization.conclusion import conclude
from workers.summarization.steps import FinishedStep, JobState, NextSteps, StepKey, StepSpec, Summary


def reduce_outputs(state: JobState) -> NextSteps | Summary:
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


def _combine(state: JobState, outputs: Sequence[FinishedStep], *, level: int) -> Iterator[StepSpec]:
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
