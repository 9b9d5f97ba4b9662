"""Upper bound of a plan's cost: a dry run of its strategy with every answer at its maximum length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workers.summarization.steps import ChunkInput, FinishedStep, JobProgress, NextSteps, StepSpec
from workers.summarization.strategies import next_steps


@dataclass(frozen=True, slots=True)
class Totals:
    """Cost of a job whose answers all reach their maximum length.

    Args:
        calls: number of generation calls.
        prompt_tokens: sum over all prompts.
        completion_tokens: sum over all answers.
        depth: number of sequential waves: the height of the reduce tree, or the length of the refine chain.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    depth: int

    def estimate_seconds(self, *, prompt_rate: float, completion_rate: float, slots: int) -> float:
        """Return the seconds that the job takes alone on one worker.

        Prefill is sequential; the answers of one wave decode together, and the waves are sequential.

        Args:
            prompt_rate: prefill speed, in prompt tokens per second.
            completion_rate: decode speed of one request, in tokens per second.
            slots: maximum number of requests that decode together.
        """
        if not self.calls:
            return 0.0
        rounds = max(self.depth, self.calls / slots)
        return self.prompt_tokens / prompt_rate + rounds * self.completion_tokens / self.calls / completion_rate


def estimate_totals(state: JobProgress, chunk_tokens: Sequence[int]) -> Totals:
    """Simulate a job's strategy with answers of maximum length and add up its steps; an extract needs no calls."""
    if state.strategy == "extract":
        return Totals(0, 0, 0, 0)
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
    chunks = [chunk_tokens[source.index] for source in spec.inputs if isinstance(source, ChunkInput)]
    earlier = len(spec.inputs) - len(chunks)
    if chunks:
        frame = limits.refine_frame if earlier else limits.map_frame
        return frame + sum(chunks) + earlier * limits.cost_output(limits.max_new_tokens)
    return limits.combine_frame + earlier * limits.cost_output(limits.max_new_tokens)
