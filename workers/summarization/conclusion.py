"""The end of a job: which output is its summary, and everything that a reader must know about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workers.summarization.steps import ChunkInput, FinishedStep, JobState, StepInput, StepKey, Summary


def conclude(state: JobState, last: FinishedStep | None) -> Summary:
    """Return the job's summary: the output of its last step, with what is missing or marked anywhere in the job."""
    reasons = tuple(_list_reasons(state))
    if last is None:
        return Summary(outcome="failed", step=None, reasons=reasons)
    return Summary(outcome="partial" if reasons else "succeeded", step=last.spec.key, reasons=reasons)


def _list_reasons(state: JobState) -> Iterator[str]:
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
