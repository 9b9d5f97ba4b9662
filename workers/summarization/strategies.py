"""Strategies as pure state machines: given how a job's steps ended, what comes next.

``next_steps`` is asked at a barrier, when every step so far has finished, and answers with the next wave or with the
end of the job. It keeps no state of its own: the same steps always give the same answer, in any process.
"""

from __future__ import annotations

from workers.summarization.collapse import reduce_outputs
from workers.summarization.conclusion import conclude
from workers.summarization.errors import StateError
from workers.summarization.steps import (
    ChunkInput,
    JobState,
    NextSteps,
    StepKey,
    StepSpec,
    Summary,
)


def next_steps(state: JobState) -> NextSteps | Summary:
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


def _stuff(state: JobState) -> NextSteps | Summary:
    if not state.steps:
        chunks = tuple(ChunkInput(index) for index in range(state.chunk_count))
        return NextSteps((StepSpec(StepKey("stuff", 0, 0), chunks),))
    return conclude(state, state.steps[-1] if state.steps[-1].is_done else None)


def _map_reduce(state: JobState) -> NextSteps | Summary:
    """Map every chunk side by side, then combine the outputs level by level."""
    if not state.steps:
        return NextSteps(
            tuple(StepSpec(StepKey("map", 0, index), (ChunkInput(index),)) for index in range(state.chunk_count))
        )
    return reduce_outputs(state)


def _refine(state: JobState) -> NextSteps | Summary:
    """Take the chunks one at a time, each with the latest summary; a failed chunk is passed over."""
    done = [step for step in state.steps if step.is_done]
    index = len(state.steps)
    if index == state.chunk_count:
        return conclude(state, done[-1] if done else None)
    earlier = (done[-1].spec.key,) if done else ()
    return NextSteps((StepSpec(StepKey("refine", 0, index), (*earlier, ChunkInput(index))),))
