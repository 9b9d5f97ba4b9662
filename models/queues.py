"""Wire names of queues and tasks, priorities, and the step message.

A message carries the id of a step, whose row is the source of truth, and names for people to see: a lost message costs
time, a duplicate costs one claim that finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from models.job import Priority
from models.step import StepKind

# In the order of service at one level: steps that combine outputs, plans, map steps, checks. A level outranks this
# order: the plan of an urgent job is served before the reduce step of a normal one.
QUEUES = ("reduce", "plan", "map", "evaluate")
QUEUE_OF_KIND = {
    StepKind.PLAN: "plan",
    StepKind.MAP: "map",
    StepKind.STUFF: "reduce",
    StepKind.COLLAPSE: "reduce",
    StepKind.REDUCE: "reduce",
    StepKind.REFINE: "reduce",
    StepKind.EXTRACT: "reduce",
    StepKind.EVALUATE: "evaluate",
    # Many at a time, as the chunks of a document.
    StepKind.CHAT: "map",
}
TASK_PREFIX = "gistmill."
# Characters of a name in a label: the broker holds every message in memory.
LABEL_CHARACTERS = 100
# Levels of the broker's lists: three for each of the three priorities of a job.
PRIORITY_STEPS = list(range(max(Priority) + 3))
# Map indexes at which the level rises: the plan and first chunks of a new job overtake the last of a huge one.
LEVEL_ENDS = (8, 64)
# Position in a batch at which the level of plans rises: a small batch begins at once, and the rest of a large one after
# the first chunks of the jobs that have begun, so that these end before all others are planned.
PLAN_LEVEL_END = 8


def queue_name(queue: str, weights: str) -> str:
    """Return the broker's name of a queue; each name of weights has its own queues."""
    return f"{queue}.{weights}"


def task_name(kind: str) -> str:
    """Return the wire name of the task for a kind of step."""
    return f"{TASK_PREFIX}{kind}"


def message_priority(kind: str, index: int, job_priority: int, *, position: int = 0) -> int:
    """Return the broker level of a step: the job's priority, raised where it is served later.

    Args:
        kind: of the step.
        index: of the step in its wave.
        job_priority: priority of its job.
        position: of its job in the batch.
    """
    match kind:
        case StepKind.MAP:
            return job_priority + sum(index >= end for end in LEVEL_ENDS)
        case StepKind.PLAN:
            return job_priority + (position >= PLAN_LEVEL_END)
        case StepKind.EVALUATE:
            # With the last plans, before which their queue puts no check.
            return job_priority + 1
        case _:
            return job_priority


@dataclass(frozen=True, slots=True)
class StepMessage:
    """One message: the id of a step, with the kind, queue and level to publish it under.

    Args:
        step_id: the step.
        kind: of the step.
        queue: of the broker.
        priority: level of the broker.
        source: name of the document, for people who look at tasks.
        batch: name of the batch, for the same.
    """

    step_id: UUID
    kind: str
    queue: str
    priority: int
    source: str = ""
    batch: str = ""

    @property
    def label(self) -> str:
        """Document, batch and step, as Flower shows them in place of the arguments."""
        return f"{self.source[:LABEL_CHARACTERS]}, batch {self.batch[:LABEL_CHARACTERS]}, step {self.step_id}"
