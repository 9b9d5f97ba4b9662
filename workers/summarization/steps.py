"""Steps of a job as values: their inputs, their results and the progress that strategies decide on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.summarization.limits import Limits

StepKind = Literal["map", "collapse", "reduce", "refine", "stuff", "extract"]
Strategy = Literal["stuff", "map-reduce", "refine", "extract"]
JobOutcome = Literal["succeeded", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class ChunkInput:
    """Reference to the text of a chunk, by its index."""

    index: int


@dataclass(frozen=True, slots=True)
class StepKey:
    """Identity of a step within its job; as an input, a reference to its output."""

    kind: StepKind
    level: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind} {self.level}.{self.index}"


StepInput = ChunkInput | StepKey


@dataclass(frozen=True, slots=True)
class StepSpec:
    """Step to run.

    Args:
        key: identity of the step within its job.
        inputs: chunks and outputs in its prompt, in this order.
    """

    key: StepKey
    inputs: tuple[StepInput, ...]


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """Step that will not run again.

    Args:
        spec: the step as it was requested.
        is_done: whether it has an output; a step without one has failed.
        tokens: size of the output by the token counter, which may differ from the number of generated tokens.
        notes: human-readable faults of the output, or reasons for its absence; each makes the job partial.
        mark: hash of the output, from 0 to 1, for content-defined groups; 0 where it is unknown makes most groups.
    """

    spec: StepSpec
    is_done: bool
    tokens: int = 0
    notes: tuple[str, ...] = ()
    mark: float = 0


@dataclass(frozen=True, slots=True)
class JobProgress:
    """State of a job at a barrier: the input of ``next_steps``.

    Args:
        strategy: the job's strategy.
        limits: the job's planned token budgets.
        chunk_count: number of chunks of the document.
        steps: all steps so far, every one finished.
        is_stable: group the outputs of a level so that a change of one leaves nearly all other groups as they are.
    """

    strategy: Strategy
    limits: Limits
    chunk_count: int
    steps: tuple[FinishedStep, ...] = ()
    is_stable: bool = False


@dataclass(frozen=True, slots=True)
class NextSteps:
    """Next wave of steps: they may run concurrently, and the last to finish continues the job."""

    steps: tuple[StepSpec, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """End of a job.

    Args:
        outcome: partial if any part is missing or marked, failed without a summary.
        step: step whose output is the summary; None if the job failed.
        reasons: human-readable reasons for an outcome other than succeeded.
    """

    outcome: JobOutcome
    step: StepKey | None
    reasons: tuple[str, ...]
