"""Names on the wire, and the doorbell that rings them.

A message carries a step's id and nothing else: it only wakes a worker up, the row is the truth. Losing one costs time,
a duplicate costs one empty claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from models.job import Priority
from models.step import StepKind

# Served in this order: what ends a job first, so that jobs that have begun finish before new ones begin. Planning comes
# last of the summarizing queues because a new job must not delay a begun one; an idle slot still plans at once.
QUEUES = ("reduce", "map", "plan", "evaluate")
QUEUE_OF_KIND = {
    StepKind.PLAN: "plan",
    StepKind.MAP: "map",
    StepKind.STUFF: "reduce",
    StepKind.COLLAPSE: "reduce",
    StepKind.REDUCE: "reduce",
    StepKind.REFINE: "reduce",
    StepKind.EVALUATE: "evaluate",
}
TASK_PREFIX = "gistmill."
# One list per queue and level on the broker: three levels for each of the three priorities of a job.
PRIORITY_STEPS = list(range(max(Priority) + 3))
# A map step's place among its siblings decides its level: the first chunks of a late small job pass the far chunks of
# an early huge one.
LEVEL_ENDS = (8, 64)


def queue_name(queue: str, weights: str) -> str:
    """Return the broker's name of a queue: one set of queues per served weights."""
    return f"{queue}.{weights}"


def task_name(kind: str) -> str:
    """Return the stable wire name of a step kind's task."""
    return f"{TASK_PREFIX}{kind}"


def message_priority(kind: str, index: int, job_priority: int) -> int:
    """Return the broker level of a step: its job's priority, lowered for the far chunks of a large job."""
    if kind != StepKind.MAP:
        return job_priority
    return job_priority + sum(index >= end for end in LEVEL_ENDS)


@dataclass(frozen=True, slots=True)
class StepMessage:
    """One message to send: wake a worker for this step."""

    step_id: UUID
    kind: str
    queue: str
    priority: int
