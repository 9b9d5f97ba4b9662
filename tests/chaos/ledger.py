"""Record of what a cluster has accepted and of what it was asked to delete, to compare the database with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from models.options import JobOptions
from models.tables import hash_document
from producer.intake import batch_id, job_id

# Names of documents: each stands in every passage of its text, and in no other document.
MARKER = "(mark[0-9]{6}q)"


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A job that was submitted.

    Args:
        id: its id.
        batch: name of its batch.
        document: name of its document.
    """

    id: UUID
    batch: str
    document: str


@dataclass(slots=True)
class Ledger:
    """What was submitted and deleted so far.

    Args:
        texts: text of each document by its name.
        jobs: submitted jobs by id.
        digests: name of the batch that each digest was made of, by the name of the digest's own batch.
        deleted: ids of the jobs, and names of the digests, whose deletion was requested.
        doubtful: digests of which nobody knows whether they were ever there.
    """

    texts: dict[str, str] = field(default_factory=dict)
    jobs: dict[UUID, AcceptedJob] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    deleted: set[UUID | str] = field(default_factory=set)
    doubtful: int = 0

    @property
    def kept(self) -> list[AcceptedJob]:
        """Jobs whose deletion was not requested, in the order of their submission."""
        return [job for job in self.jobs.values() if job.id not in self.deleted]

    @property
    def batches(self) -> list[str]:
        """Names of the batches that have such jobs."""
        return list(dict.fromkeys(job.batch for job in self.kept))

    @property
    def kept_digests(self) -> list[str]:
        """Names of the batches of the digests whose own deletion was not requested."""
        return [digest for digest in self.digests if digest not in self.deleted]

    @property
    def documents(self) -> set[str]:
        """Names of the documents that must be there."""
        return {job.document for job in self.kept}

    def add_document(self, write: Callable[[str], str]) -> str:
        """Return the name of a new document, which is written with it."""
        name = f"mark{len(self.texts):06}q"
        self.texts[name] = write(name)
        return name

    def hash(self, document: str) -> str:
        """Return the identity of a document."""
        return hash_document(self.texts[document], "markdown")

    def accept(self, batch: str, documents: Iterable[str], options: JobOptions) -> None:
        """Record the jobs of a submission."""
        for document in documents:
            identity = options.identify(self.hash(document), document)
            job = AcceptedJob(job_id(batch_id(batch), identity), batch, document)
            self.jobs[job.id] = job

    def delete(self, jobs: Iterable[AcceptedJob]) -> None:
        """Record that the deletion of jobs was requested."""
        self.deleted |= {job.id for job in jobs}

    def list_jobs(self, *, batch: str | None = None, document: str | None = None) -> Sequence[AcceptedJob]:
        """Return the kept jobs of a batch or of a document."""
        return [job for job in self.kept if job.batch == batch or job.document == document]

    def may_lack(self, digest: str) -> bool:
        """Tell whether a digest may be gone, because it or something that it was made of was deleted."""
        source = self.digests[digest]
        if digest in self.deleted or any(job.batch == source and job.id in self.deleted for job in self.jobs.values()):
            return True
        return source in self.digests and self.may_lack(source)
