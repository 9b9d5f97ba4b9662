"""Steps of a job as values: what a step is made from, how it ended, and what its job has to decide from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.summarization.limits import Limits

StepKind = Literal["map", "collapse", "reduce", "refine", "stuff"]
Strategy = Literal["stuff", "map-reduce", "refine"]
JobOutcome = Literal["succeeded", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class ChunkInput:
    """The text of a chunk."""

    index: int


@dataclass(frozen=True, slots=True)
class StepKey:
    """The output of an earlier step; unique in its job."""

    kind: StepKind
    level: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind} {self.level}.{self.index}"


StepInput = ChunkInput | StepKey


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step to run.

    Args:
        key: what it is, and its name in the job.
        inputs: what its prompt holds, in this order.
    """

    key: StepKey
    inputs: tuple[StepInput, ...]


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step that will not run again.

    Args:
        spec: what was asked.
        is_done: whether it has an output; if not, it failed.
        tokens: size of the output as the counter counts it, which may differ from what was generated.
        notes: in words for people, what is wrong with the output, or why there is none; each makes the job partial.
    """

    spec: StepSpec
    is_done: bool
    tokens: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobProgress:
    """All that decides what comes next in a job.

    Args:
        strategy: how the job goes about its document.
        limits: what fits a prompt, as it was planned.
        chunk_count: number of chunks of the document.
        steps: every step so far; all of them are finished.
    """

    strategy: Strategy
    limits: Limits
    chunk_count: int
    steps: tuple[FinishedStep, ...] = ()


@dataclass(frozen=True, slots=True)
class NextSteps:
    """The next wave: steps that may run side by side; the job goes on when the last of them has finished."""

    steps: tuple[StepSpec, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The end of a job.

    Args:
        outcome: partial if anything is missing or marked, failed if there is no summary.
        step: whose output is the summary; None if the job failed.
        reasons: in words for people, why the outcome is not better.
    """

    outcome: JobOutcome
    step: StepKey | None
    reasons: tuple[str, ...]
