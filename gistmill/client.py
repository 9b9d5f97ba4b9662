"""Client of a cluster, for programs: submit documents, wait for their batch, read the summaries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack
from uuid import UUID

from gistmill.addresses import find_cluster
from gistmill.batch import Batch
from gistmill.batch_record import BatchRecord
from gistmill.cluster import Cluster, OnRead
from gistmill.summaries import Summaries
from models.setting_names import describe_unknown, list_names
from models.views import BatchProgress
from producer.deletion import DeletionChoice, DeletionRecord
from producer.filters import FilterOptions, make_filter
from producer.options import DigestOptions, PlanningOptions, SubmitOptions
from producer.preparation import prepare_submission
from producer.provenance import Provenance
from producer.sources.given import Documents
from producer.sources.source import ReadEvent, SourceProblem
from producer.submit import SubmissionResult
from producer.summaries import Summary
from producer.wording import count

if TYPE_CHECKING:
    from gistmill.inbox import WatchOptions
    from gistmill.planning import DocumentPlan
    from models.deletion import DeletionCounts
    from producer.cancel import Cancellation
    from producer.retry import RetryOutcome
    from workers.comparison import Comparison

LOGGER = logging.getLogger("gistmill")
# A batch or a job: itself, its name, or the beginning of its id.
Named = str | UUID | BatchRecord | Summary


def connect(address: str | None = None, broker_url: str | None = None, *, token: str | None = None) -> Client:
    """Return a client of a cluster, which connects at its first call.

    Args:
        address: of Postgres, or of `gistmill serve` (http://host:8000); by default GISTMILL_DATABASE_URL, else the
            running `gistmill up`.
        broker_url: address of the broker beside that of Postgres; by default GISTMILL_BROKER_URL, else the running
            `gistmill up`.
        token: token of `gistmill serve`.

    Raises:
        SettingsError: no cluster is known, or an address is invalid.
    """
    for sentence in describe_unknown(list_names()):
        LOGGER.warning(sentence)
    return Client(find_cluster(address, broker_url, token, warn=LOGGER.warning))


class Client:
    """Client of a cluster; its methods may be called from several threads, but a process makes its own.

    Sentences that users must not miss, such as about documents that could not be read, go to the logger "gistmill".

    Args:
        cluster: the cluster, of this client alone, which closes it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.cluster})"

    def close(self) -> None:
        """Close every connection; the work of the cluster goes on."""
        self.cluster.close()

    def submit(
        self,
        documents: Documents,
        *,
        name: str | None = None,
        on_read: OnRead | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Batch:
        """Put documents on the queue and return their batch; the same documents and options are the same jobs.

        Args:
            documents: a path, URL, folder or glob as a str or Path; a Document; a mapping, which is a row of a table;
                any number of them; or a DataFrame.
            name: name of the batch; by default made from the documents and the options.
            on_read: called with every event of reading: Source, SourceProblem, SourceDuplicate and SourceNote.
            options: those of ``gistmill submit`` by the same names, such as strategy, style, text_column, gate.

        Raises:
            SettingsError: an option is invalid.
            SubmissionError: nothing could be read, or with ``strict`` anything could not; nothing is stored.
            GistmillError: the webhook may not be called.
            UnreachableError: the database does not answer.
        """
        priority, is_strict = options.pop("priority", "normal"), options.pop("strict", False)
        preparation = prepare_submission(
            documents,
            options,
            name=name,
            priority=priority,
            strict=is_strict,
            keep_days=options.pop("keep_days", None),
            webhook=options.pop("webhook", None),
        )
        result = SubmissionResult(batch=preparation.request.batch)
        self.cluster.submit(preparation, result, report=on_read or (lambda _: None))
        if on_read is None:
            self._warn_of_problems(result)
        return Batch(cluster=self.cluster, **BatchRecord.make(result).list_values())

    def watch_folder(
        self,
        folder: str | Path,
        *,
        batch: str,
        once: bool = False,
        stop: Event | None = None,
        **options: Unpack[WatchOptions],
    ) -> int:
        """Submit new and changed files of a folder once they are complete, and return how many could not be read whole.

        Args:
            folder: folder without its subfolders.
            batch: name of the batch.
            once: whether to return when all that is there is submitted, as for a scheduled task.
            stop: ends the watching when another thread sets it.
            options: those of ``gistmill watch-folder``, and ``report``, called with sentences that else are logged.

        Raises:
            InboxError: the folder cannot be read or written, or another process watches it.
            SettingsError: an option is invalid.
        """
        from gistmill.inbox import make_inbox

        inbox = make_inbox(self.submit, Path(folder), batch, {"report": LOGGER.info, **options})
        return inbox.run(once=once, stop=stop)

    def plan(
        self, documents: Documents, *, on_read: OnRead | None = None, **options: Unpack[PlanningOptions]
    ) -> list[DocumentPlan]:
        """Say how documents would be summarized and what that would take at most; nothing is submitted.

        Args:
            documents: as for ``submit``.
            on_read: called with every event of reading; without it, problems are warned of.
            options: those of ``gistmill plan`` by the same names.

        Raises:
            GistmillError: an option is invalid, or no plan fits.
            MissingLibraryError: the worker's part, which has the tokenizer, is not installed.
        """
        return self.cluster.plan(documents, options, on_read=on_read or self._warn_of_problem)

    def digest(
        self,
        name: str | UUID | BatchRecord,
        *,
        by: str | None = None,
        batch: str | None = None,
        **options: Unpack[DigestOptions],
    ) -> Batch:
        """Put one summary over the documents of a batch on the queue, made from their summaries, and return its batch.

        Args:
            name: the batch whose summaries are read; jobs that have not ended are left out, which is warned of.
            by: column of the documents, for a digest of each of its values.
            batch: name of the batch of the digests; by default made from the summaries and the options.
            options: those of ``gistmill digest`` by the same names.

        Raises:
            UnknownIdError: there is no such batch.
            SettingsError: an option is invalid.
            SubmissionError: the batch has no summary, or its documents have no such column.
            UnreachableError: the database does not answer.
        """
        record = self.cluster.digest(self.cluster.find_batch(_name_of(name)), by=by, batch=batch, options=options)
        return Batch(cluster=self.cluster, **record.list_values())

    def batch(self, name: str | UUID | None = None) -> Batch:
        """Return a batch by its name or id; the latest without one.

        Raises:
            UnknownIdError: there is no such batch; the message lists the nearest.
        """
        target = self.cluster.find_batch(None if name is None else str(name))
        return Batch(cluster=self.cluster, name=target.batch, id=target.batch_id)

    def batches(self, *, limit: int = 20) -> list[BatchProgress]:
        """Return the progress of the latest batches, the newest first."""
        return self.cluster.list_batches(limit=limit)

    def summaries(self, name: Named | None = None, **filters: Unpack[FilterOptions]) -> Summaries:
        """Return the summaries of a batch or job, or of all batches, the latest first, each in the order of its input.

        Args:
            name: batch or job.
            filters: those of ``gistmill results``: status, strategy, weights, since, needs_review, flagged, marked,
                limit.

        Raises:
            UnknownIdError: there is no such batch or job.
            SettingsError: a filter is invalid.
        """
        target = None if name is None else self.cluster.find_target(_name_of(name))
        return Summaries(self.cluster, make_filter(target, filters))

    def show(self, name: Named) -> Provenance:
        """Return a job with all that its summary was made from: chunks, steps, sentences, citations, checks.

        Raises:
            UnknownIdError: there is no such job, or the name is of a batch with several.
        """
        return self.cluster.show(_name_of(name))

    def cancel(self, name: Named) -> Cancellation:
        """Stop a job or the open jobs of a batch; what is finished stays.

        Raises:
            UnknownIdError: there is no such batch or job.
        """
        return self.cluster.cancel(self.cluster.find_target(_name_of(name)))

    def retry(self, name: Named, *, marked: bool = False) -> Mapping[RetryOutcome, int]:
        """Run the failed and cancelled steps of a job or a batch again, and return the number of jobs by outcome.

        Args:
            name: batch or job.
            marked: also run steps again whose output a guard has marked.

        Raises:
            UnknownIdError: there is no such batch or job.
        """
        return self.cluster.retry(self.cluster.find_target(_name_of(name)), marked=marked)

    def preview_deletion(self, name: Named | None = None, **choice: Unpack[DeletionChoice]) -> DeletionCounts:
        """Count what ``delete`` with the same arguments would take, without any change."""
        return self.cluster.preview_deletion(None if name is None else _name_of(name), choice)

    def delete(self, name: Named | None = None, **choice: Unpack[DeletionChoice]) -> DeletionRecord:
        """Delete jobs for good, with their summaries and with the documents that no other job needs.

        Args:
            name: batch or job.
            choice: in place of a name ``document``, the SHA-256 of a document or the beginning of it: all its jobs; or
                ``older_than``, a moment or an age such as "90d": the jobs that ended before.

        Raises:
            UnknownIdError: there is no such batch, job or document.
            SettingsError: not exactly one is given, ``older_than`` is no moment, or the role may not delete.
        """
        return self.cluster.delete(None if name is None else _name_of(name), choice)

    def delete_expired(self) -> list[DeletionRecord]:
        """Delete the jobs that their batch, or else GISTMILL_RETENTION_DAYS, keeps no longer."""
        return self.cluster.delete_expired()

    def compare(self, first: str | UUID | BatchRecord, second: str | UUID | BatchRecord) -> Comparison:
        """Compare two batches over the same documents: means, and paired differences with their intervals.

        Raises:
            UnknownIdError: there is no such batch.
            GistmillError: the batches have no document in common.
        """
        sides = [self.cluster.find_batch(_name_of(name)).batch_id for name in (first, second)]
        return self.cluster.compare(*sides)

    def _warn_of_problems(self, result: SubmissionResult) -> None:
        if result.problems:
            number = count(len(result.problems), "source")
            self.cluster.warn(f"{number} could not be read; batch.problems has all: {result.problems[0].message}")

    def _warn_of_problem(self, event: ReadEvent) -> None:
        if isinstance(event, SourceProblem):
            self.cluster.warn(event.message)


def _name_of(named: Named) -> str:
    match named:
        case BatchRecord() | Summary():
            return str(named.id)
        case _:
            return str(named)
