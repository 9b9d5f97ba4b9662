"""Order of service: the queue and the level of a step."""

from __future__ import annotations

from models.job import Priority
from models.queues import QUEUE_OF_KIND, QUEUES, message_priority
from models.step import StepKind


def place(kind: StepKind, index: int = 0, *, position: int = 0) -> tuple[int, int]:
    """Return the place of a step of a normal job in the order in which a slot looks for messages."""
    level = message_priority(kind, index, Priority.NORMAL, position=position)
    return level, QUEUES.index(QUEUE_OF_KIND[kind])


def test_steps_are_served_in_the_order_that_ends_what_has_begun_and_begins_small_batches_at_once() -> None:
    places = [
        place(StepKind.REDUCE),
        place(StepKind.PLAN, position=7),
        place(StepKind.MAP, 7),
        place(StepKind.PLAN, position=8),
        place(StepKind.MAP, 8),
        place(StepKind.EVALUATE),
        place(StepKind.MAP, 64),
    ]
    assert places == sorted(set(places))


def test_every_level_of_a_job_precedes_those_of_the_next_priority() -> None:
    last = max(message_priority(kind, 10_000, Priority.HIGH, position=10_000) for kind in StepKind)
    assert last < Priority.NORMAL
