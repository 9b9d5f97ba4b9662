"""Digests: one summary over the documents of a batch, made as an ordinary job from their stored summaries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.deletion import CONFLICTS
from models.job import Job
from models.lookup import Target
from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.session import explain_outage
from models.tables import DigestPart, hash_document
from producer.composition import Composition, compose, group_summaries
from producer.digest_parts import read_parts
from producer.errors import SubmissionError
from producer.intake import SubmissionRequest, check_retention, find_next_position, name_digest, store_block
from producer.options import build_job_options, check_texts
from producer.preparation import check_days, check_name, describe_asked, find_priority
from producer.sources.source import Source, SourceNote, TextFormat
from producer.submit import SubmissionResult

# Format of a composed document.
FORMAT: TextFormat = "markdown"


@dataclass(frozen=True, slots=True)
class DigestRequest:
    """Request for the digests of a batch.

    Args:
        target: the batch.
        by: column of its documents, for a digest of each of its values; None for one digest of all.
        submission: name, options and priority of the digests; a batch without a name is named after them.
    """

    target: Target
    by: str | None
    submission: SubmissionRequest

    def name_group(self, group: str) -> str:
        """Return the name of the digest of a group."""
        whole = f"digest of {self.target.batch}"
        if self.by is None:
            return whole
        return f"{whole}, {self.by} {group}" if group else f"{whole} without {self.by}"


def prepare_digest(
    target: Target,
    given: Mapping[str, Any],
    *,
    by: str | None,
    name: str | None = None,
    priority: str = "normal",
    keep_days: int | None = None,
) -> DigestRequest:
    """Check the options of a digest, which is greedy by default, so that finished steps are reused.

    Args:
        target: the batch to make it of.
        given: options of the jobs by name.
        by: column of the batch's documents; None for one digest of all.
        name: name of the digests' batch; by default made from the summaries and the options.
        priority: low, normal or high.
        keep_days: days for which a new batch keeps an ended job; by default the cluster's setting.

    Raises:
        SubmissionError: the name, the priority or the number of days is invalid.
        SettingsError: an option or the column is invalid.
    """
    if name == target.batch:
        raise SubmissionError(f"a digest of batch {name} cannot be in it; give another --batch")
    check_texts({"by": by})
    asked = {option: value for option, value in given.items() if value is not None}
    is_chosen = "do_sample" in asked or "greedy" in asked
    options = build_job_options(asked if is_chosen else {"greedy": True, **asked})
    submission = SubmissionRequest(
        batch="" if name is None else check_name(name),
        options=options.model_copy(update={"digest": True}),
        priority=find_priority(priority),
        asked={"digest": target.batch} | describe_asked({"by": by, **asked}),
        retention_days=check_days(keep_days),
    )
    return DigestRequest(target, by, submission)


def submit_digest(database: Engine, outbox_publisher: OutboxPublisher, request: DigestRequest) -> SubmissionResult:
    """Compose the documents of the digests and submit them as jobs; the same summaries and options are the same jobs.

    Raises:
        SubmissionError: the batch has no summary, or its documents have no such column.
        UnreachableError: the database does not answer.
    """
    with explain_outage(database):
        result, step_messages = _store_until_whole(database, request)
        outbox_publisher.publish(step_messages)
    result.unsent = outbox_publisher.unsent
    return result


def _store_until_whole(database: Engine, request: DigestRequest) -> tuple[SubmissionResult, list[StepMessage]]:
    """Compose and store in one transaction, again if a deletion took one of the jobs meanwhile."""
    while True:
        try:
            with Session(database) as session, session.begin():
                # A retry may replace a summary between two statements.
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                return _store(session, request)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in CONFLICTS:
                raise


def _store(session: Session, request: DigestRequest) -> tuple[SubmissionResult, list[StepMessage]]:
    parts = read_parts(session, request.target.batch_id, by=request.by)
    notes = list(parts.describe(request.target.batch))
    if not parts.summaries:
        left_out = f" ({'; '.join(notes)})" if notes else ""
        raise SubmissionError(f"batch {request.target.batch} has no summary to make a digest of{left_out}")
    composed = {group: compose(members) for group, members in group_summaries(parts.summaries).items()}
    submission = _name(request, [composition.text for composition in composed.values()])
    sources = [
        Source(request.name_group(group), composition.text, FORMAT, request.name_group(group))
        for group, composition in composed.items()
    ]
    check_retention(session, submission)
    position = find_next_position(session, submission.batch_id)
    step_messages = store_block(session, submission, sources, position=position)
    _store_parts(session, submission, sources, list(composed.values()))
    result = SubmissionResult(submission.batch, len(step_messages), len(sources) - len(step_messages))
    result.notes += [SourceNote(request.target.batch, note) for note in notes]
    return result, step_messages


def _name(request: DigestRequest, texts: Sequence[str]) -> SubmissionRequest:
    """Return the submission with a name, made from the composed documents and the options if none is given."""
    submission = request.submission
    if submission.batch:
        return submission
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    asked = submission.options.model_dump(mode="json") | {"by": request.by}
    return replace(submission, batch=name_digest(request.target.batch, digest, asked))


def _store_parts(
    session: Session, submission: SubmissionRequest, sources: Sequence[Source], compositions: Sequence[Composition]
) -> None:
    identities = [
        submission.options.identify(hash_document(source.text, source.format), source.name) for source in sources
    ]
    digests = dict(
        session.execute(
            select(Job.identity, Job.id).where(Job.batch_id == submission.batch_id, Job.identity.in_(identities))
        ).all()
    )
    rows = [
        {"digest_id": digests[identity], **part}
        for identity, composition in zip(identities, compositions, strict=True)
        for part in composition.parts
    ]
    session.execute(insert(DigestPart).on_conflict_do_nothing(), rows)
