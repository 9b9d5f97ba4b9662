"""What a plan costs at most: its strategy run ahead of time, with every answer as long as it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workers.summarization.steps import ChunkInput, FinishedStep, JobProgress, NextSteps, StepSpec
from workers.summarization.strategies import next_steps


@dataclass(frozen=True, slots=True)
class Totals:
    """The cost of a job if every answer is as long as it may be.

    Args:
        calls: steps that generate.
        prompt_tokens: of all prompts together.
        completion_tokens: of all answers together.
        depth: waves of steps, one after the other: the height of the tree, or the length of the refine chain.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    depth: int

    def estimate_seconds(self, *, prompt_rate: float, completion_rate: float, slots: int) -> float:
        """Return the time of the job alone on one worker.

        Prompts are read one after the other. Answers of one wave are written side by side, and waves follow each other.

        Args:
            prompt_rate: prompt tokens read per second.
            completion_rate: tokens per second that each request writes.
            slots: most requests that write side by side.
        """
        rounds = max(self.depth, self.calls / slots)
        return self.prompt_tokens / prompt_rate + rounds * self.completion_tokens / self.calls / completion_rate


def estimate_totals(state: JobProgress, chunk_tokens: Sequence[int]) -> Totals:
    """Run a job's strategy with the longest answers and add up its steps."""
    prompt_tokens = depth = 0
    while isinstance(wave := next_steps(state), NextSteps):
        depth += 1
        prompt_tokens += sum(_measure_prompt(state, spec, chunk_tokens) for spec in wave.steps)
        answers = (FinishedStep(spec, is_done=True, tokens=state.limits.max_new_tokens) for spec in wave.steps)
        state = replace(state, steps=(*state.steps, *answers))
    calls = len(state.steps)
    return Totals(calls, prompt_tokens, calls * state.limits.max_new_tokens, depth)


def _measure_prompt(state: JobProgress, spec: StepSpec, chunk_tokens: Sequence[int]) -> int:
    limits = state.limits
    chunks = [chunk_tokens[each.index] for each in spec.inputs if isinstance(each, ChunkInput)]
    earlier = len(spec.inputs) - len(chunks)
    if chunks:
        frame = limits.refine_frame if earlier else limits.map_frame
        return frame + sum(chunks) + earlier * limits.cost_output(limits.max_new_tokens)
    return limits.combine_frame + earlier * limits.cost_output(limits.max_new_tokens)
