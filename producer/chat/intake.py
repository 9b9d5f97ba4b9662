"""Storing of chat lines as jobs, block by block; ids are derived, so that a block stored twice creates nothing new."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import Json
from models.chat import CHAT_STRATEGY
from models.errors import SettingsError
from models.job import Job, JobState, Priority
from models.options import JobOptions, make_options
from models.outbox import NewStep, describe_steps, insert_steps
from models.queues import StepMessage
from models.step import StepKind
from models.tables import Document, hash_document
from producer.chat.lines import ChatLine, prepare_chat
from producer.errors import ChatRequestError
from producer.intake import insert_jobs, job_id
from producer.sources.text import clean_label

STEP = NewStep(StepKind.CHAT, level=0, index=0)
TEXT = "text"


@dataclass(frozen=True, slots=True)
class ChatJob:
    """A line as a job: the text of its document, its options, and why it is refused if it is."""

    line: ChatLine
    text: str
    options: JobOptions
    refusal: str | None = None


def store_lines(
    session: Session, batch_id: UUID, lines: Sequence[ChatLine], served: Collection[str]
) -> list[StepMessage]:
    """Store lines as jobs, and return the messages of their steps; the caller commits, then publishes them.

    Args:
        session: the caller commits.
        batch_id: id of the batch.
        lines: lines in their order.
        served: names of weights that are known.
    """
    jobs = [prepare_job(line, served) for line in lines]
    texts = {hash_document(job.text, TEXT): job.text for job in jobs}
    documents: list[Json] = [
        {"sha256": sha256, "format": TEXT, "text": text, "title": None, "details": {}}
        # Sorted, so that two stores of the same documents cannot deadlock.
        for sha256, text in sorted(texts.items())
    ]
    session.execute(insert(Document).on_conflict_do_nothing(), documents)
    accepted = [_describe_job(batch_id, job) for job in jobs if job.refusal is None]
    refused = [_describe_job(batch_id, job) for job in jobs if job.refusal is not None]
    if refused:
        ended = insert(Job).values(finished_at=func.now()).on_conflict_do_nothing()
        session.execute(ended, [row | {"state": JobState.FAILED, "pending": 0} for row in refused])
    created = insert_jobs(session, accepted) if accepted else set()
    rows = [row for job in accepted if job["id"] in created for row in describe_steps(Job(**job), [STEP])]
    places = {row["id"]: place for place, row in enumerate(rows)}
    return sorted(insert_steps(session, rows), key=lambda step_message: places[step_message.step_id])


def prepare_job(line: ChatLine, served: Collection[str]) -> ChatJob:
    """Return the job of a line; one whose request is refused has failed from the start."""
    try:
        request, options = prepare_chat(line.body, served)
    except (ChatRequestError, SettingsError) as error:
        # The message may quote the names of fields, which may hold anything.
        return ChatJob(line, json.dumps(line.body), make_options(grounding="off"), clean_label(str(error)))
    return ChatJob(line, request.dump(), options)


def _describe_job(batch_id: UUID, job: ChatJob) -> Json:
    sha256 = hash_document(job.text, TEXT)
    identity = job.options.identify(sha256, f"line {job.line.number}")
    return {
        "id": job_id(batch_id, identity),
        "batch_id": batch_id,
        "identity": identity,
        "document_sha256": sha256,
        "source": job.line.custom_id,
        "position": job.line.number,
        "options": job.options.model_dump(mode="json"),
        "weights": job.options.weights,
        "priority": Priority.NORMAL,
        "strategy": CHAT_STRATEGY,
        "reason": job.refusal,
    }
