"""Sentences of a job's summary and their citations: stored when the summary is, and deleted with it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from models.job import Job
from models.sentence import SummarySentence

# Copies the sentences of the step whose output is the summary. One statement, however many sentences there are; the
# foreign key of the citations is checked at its end.
_COPY = text(
    """
    WITH listed AS (
        SELECT steps.job_id, (stored.place - 1)::integer AS index, stored.sentence
        FROM steps, jsonb_array_elements(steps.sentences) WITH ORDINALITY AS stored (sentence, place)
        WHERE steps.id = :step_id
    ),
    sentence AS (
        INSERT INTO sentences (job_id, index, start_at, end_at, kind, score, reason)
        SELECT
            job_id,
            index,
            (sentence ->> 'start')::integer,
            (sentence ->> 'end')::integer,
            sentence ->> 'kind',
            (sentence ->> 'score')::double precision,
            sentence ->> 'reason'
        FROM listed
        RETURNING kind
    ),
    citation AS (
        INSERT INTO citations (job_id, sentence, index, start_at, end_at)
        SELECT
            listed.job_id,
            listed.index,
            (spans.place - 1)::integer,
            (spans.span ->> 0)::integer,
            (spans.span ->> 1)::integer
        FROM listed, jsonb_array_elements(listed.sentence -> 'spans') WITH ORDINALITY AS spans (span, place)
    )
    SELECT
        count(*) FILTER (WHERE kind <> 'unchecked') AS checked,
        count(*) FILTER (WHERE kind = 'verified') AS verified,
        count(*) FILTER (WHERE kind = 'quoted') AS quoted,
        count(*) FILTER (WHERE kind = 'flagged') AS flagged
    FROM sentence
    """
)


def store_sentences(session: Session, job: Job, step: UUID) -> None:
    """Store the sentences of a job's summary and count them by verdict; the caller holds the lock on the job's row.

    Args:
        session: holds the transaction that stores the summary.
        job: has no stored sentences.
        step: id of the step whose output is the summary.
    """
    found = session.connection().execute(_COPY, {"step_id": step}).one()
    if found.checked:
        job.verified, job.quoted, job.flagged = found.verified, found.quoted, found.flagged


def delete_sentences(session: Session, job: Job) -> None:
    """Delete the sentences of a job's summary, their citations and their counts."""
    session.execute(delete(SummarySentence).where(SummarySentence.job_id == job.id))
    job.verified = job.quoted = job.flagged = None
