"""Record of a batch: its name, its id, and what became of the documents of a submission to it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models.lookup import Target
from producer.intake import batch_id
from producer.sources.source import SourceDuplicate, SourceNote, SourceProblem

if TYPE_CHECKING:
    from producer.submit import SubmissionResult


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A batch, and what became of the documents of a submission to it.

    Args:
        name: its name.
        id: its id, derived from the name.
        new: number of new jobs.
        existing: number of jobs that were there before.
        unsent: number of steps that the broker did not take; workers find them later.
        duplicates: documents dropped as equal to earlier ones.
        problems: sources that could not be read, with the reasons.
        notes: choices made in reading, such as a guessed column.
    """

    name: str
    id: UUID
    new: int = 0
    existing: int = 0
    unsent: int = 0
    duplicates: tuple[SourceDuplicate, ...] = field(default=(), repr=False)
    problems: tuple[SourceProblem, ...] = ()
    notes: tuple[SourceNote, ...] = field(default=(), repr=False)

    @classmethod
    def make(cls, result: SubmissionResult) -> BatchRecord:
        """Return the batch of a submission with what became of its documents."""
        return BatchRecord(
            name=result.batch,
            id=batch_id(result.batch),
            new=result.created,
            existing=result.existing,
            unsent=result.unsent,
            duplicates=tuple(result.duplicates),
            problems=tuple(result.problems),
            notes=tuple(result.notes),
        )

    def list_values(self) -> dict[str, Any]:
        """Return the values of the record by name, to make a batch of."""
        return {item.name: getattr(self, item.name) for item in fields(BatchRecord)}

    @property
    def target(self) -> Target:
        """The batch as a target of queries."""
        return Target(self.id, self.name)
