"""Partitions of the tables of steps: one a month, chosen by the month in the id of a job, which its steps' ids repeat.

An id alone leads to the partition: messages, claims and results carry nothing else. A job's id is a version 8 UUID with
its month of submission behind the version; the ids of its steps begin with that month. Jobs of older clusters have ids
of other versions: their steps keep random ids, in a partition of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import text
from sqlalchemy.orm import Session

STEP_NAMESPACE = uuid5(NAMESPACE_URL, "gistmill:step")
# RFC 9562 leaves the content of such an id to its maker.
VERSION = 8
# Months since 1970 in 12 bits, until the year 2311: behind the version in a job's id, the first 48 bits of a step's id.
MONTH_MASK = 0xFFF
JOB_MONTH_SHIFT = 64
PREFIX_SHIFT = 80
# Ids from here on are random. One below has 36 zero bits at its beginning, which no random id has.
FIRST_RANDOM = UUID(int=0x1000 << PREFIX_SHIFT)
LAST_RANDOM = UUID(int=2**128 - 1)

LIST_PARTITIONS = text(
    "SELECT substring(pg_get_expr(part.relpartbound, part.oid) FROM '[0-9a-f-]{36}')::uuid "
    "FROM pg_inherits JOIN pg_class AS part ON part.oid = pg_inherits.inhrelid "
    "WHERE pg_inherits.inhparent = 'steps'::regclass"
)


@dataclass(frozen=True, slots=True, order=True)
class StepRange:
    """Ids of the steps of one partition.

    Args:
        first: lowest id.
        last: highest id.
    """

    first: UUID
    last: UUID

    @classmethod
    def of_month(cls, month: int) -> Self:
        """Return the range of a month, counted since 1970."""
        first = month << PREFIX_SHIFT
        return cls(UUID(int=first), UUID(int=first | (1 << PREFIX_SHIFT) - 1))

    @classmethod
    def of_step(cls, step: UUID) -> Self:
        """Return the range that holds the id of a step."""
        prefix = step.int >> PREFIX_SHIFT
        return cls.of_month(prefix) if prefix <= MONTH_MASK else cls(FIRST_RANDOM, LAST_RANDOM)

    @property
    def month(self) -> int | None:
        """Month of the partition, counted since 1970; None for that of the random ids."""
        return None if self.first == FIRST_RANDOM else self.first.int >> PREFIX_SHIFT


def month_of(moment: datetime) -> int:
    """Return the months since 1970 at a moment, in UTC."""
    moment = moment.astimezone(UTC)
    return (moment.year - 1970) * 12 + moment.month - 1


def stamp_month(identity: UUID, moment: datetime) -> UUID:
    """Return the id of a job: a random or derived id with the month of a moment in it."""
    stamped = identity.int & ~(0xFFFF << JOB_MONTH_SHIFT)
    return UUID(int=stamped | (VERSION << 12 | month_of(moment)) << JOB_MONTH_SHIFT)


def step_id(job_id: UUID, kind: str, level: int = 0, index: int = 0, *, round_number: int = 0) -> UUID:
    """Return a step's id, derived from its place in the job, so that no step can be created twice.

    The id implies the place: two steps of a job at one place would have one id.
    """
    derived = uuid5(STEP_NAMESPACE, f"{job_id}/{round_number}/{kind}/{level}/{index}")
    if job_id.version != VERSION:
        return derived
    month = job_id.int >> JOB_MONTH_SHIFT & MONTH_MASK
    rest = derived.int & (1 << PREFIX_SHIFT) - 1 & ~(0xF << JOB_MONTH_SHIFT + 12)
    return UUID(int=month << PREFIX_SHIFT | VERSION << JOB_MONTH_SHIFT + 12 | rest)


def group_by_partition(steps: Iterable[UUID]) -> list[list[UUID]]:
    """Return ids of steps by partition, so that a statement reads one."""
    groups: dict[StepRange, list[UUID]] = defaultdict(list)
    for step in steps:
        groups[StepRange.of_step(step)].append(step)
    return list(groups.values())


def list_ranges(session: Session) -> list[StepRange]:
    """Return the ranges of all partitions, newest month first, and the months around now, which may have none yet."""
    now = month_of(datetime.now(UTC))
    found = {StepRange.of_month(month) for month in (now - 1, now, now + 1)}
    found |= {StepRange.of_step(first) for first in session.scalars(LIST_PARTITIONS) if first is not None}
    return sorted(found, reverse=True)


def add_partitions(session: Session) -> int:
    """Create the partitions of this month and the next two, and of months whose steps came before; return their number.

    A step whose month has no partition is in the default partition until then, which works as well. A role without the
    right, such as one from before the partitions, creates none.
    """
    if not session.scalar(text("SELECT has_function_privilege('add_step_partitions()', 'EXECUTE')")):
        return 0
    return session.scalar(text("SELECT add_step_partitions()")) or 0
