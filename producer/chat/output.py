"""Answers of a chat batch in the form of OpenAI's output and error files, written from its jobs as they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.orm import Session

from models.base import Json
from models.chat import ChatBatch
from models.files import FilePurpose
from models.job import SUMMARIZED_STATES, Job, JobState
from models.step import Step, StepKind, of_job

# Jobs per query.
BLOCK_JOBS = 500
STATES: dict[str, Sequence[JobState]] = {
    FilePurpose.OUTPUT: SUMMARIZED_STATES,
    FilePurpose.ERRORS: (JobState.FAILED, JobState.CANCELLED),
}
COLUMNS = (
    Job.id, Job.position, Job.source, Job.state, Job.weights, Job.summary, Job.reason, Job.finished_at,
    Step.finish_reason, Step.prompt_tokens, Step.completion_tokens, Step.weights_fingerprint, Step.error,
)  # fmt: skip
# Digits of a fingerprint that are shown.
FINGERPRINT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests of a batch by what became of them."""

    total: int
    completed: int
    failed: int


def count_requests(session: Session, batches: Sequence[ChatBatch]) -> dict[UUID, RequestCounts]:
    """Count the requests of batches that have ended, by batch."""
    completed, failed = (
        func.count().filter(Job.state.in_(STATES[purpose])) for purpose in (FilePurpose.OUTPUT, FilePurpose.ERRORS)
    )
    in_batches = Job.batch_id.in_([batch.id for batch in batches])
    rows = session.execute(select(Job.batch_id, completed, failed).where(in_batches).group_by(Job.batch_id))
    counts = {row[0]: row[1:] for row in rows}
    return {batch.id: RequestCounts(batch.lines or 0, *counts.get(batch.id, (0, 0))) for batch in batches}


def write_lines(database: Engine, batch_id: UUID, purpose: str) -> Iterator[bytes]:
    """Yield the lines of a file, without a transaction that is open while its reader is busy."""
    position = -1
    while True:
        with Session(database) as session:
            rows = read_block(session, batch_id, purpose, position)
        if not rows:
            return
        yield b"".join(format_line(row) for row in rows)
        position = rows[-1].position


def read_block(session: Session, batch_id: UUID, purpose: str, position: int) -> Sequence[Any]:
    """Return the next jobs of a file after a position, in the order of the input."""
    step = and_(of_job(Job.id), Step.kind == StepKind.CHAT)
    statement = select(*COLUMNS).outerjoin(Step, step).order_by(Job.position).limit(BLOCK_JOBS)
    is_next = (Job.batch_id == batch_id, Job.position > position, Job.state.in_(STATES[purpose]))
    return session.execute(statement.where(*is_next)).all()


def format_line(row: Any) -> bytes:
    """Return a job as a line of a file."""
    response, error = _describe_response(row), None
    if row.state == JobState.CANCELLED:
        response, error = None, {"code": "batch_cancelled", "message": row.reason or "the request was cancelled"}
    line = {"id": f"batch_req_{row.id.hex}", "custom_id": row.source, "response": response, "error": error}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _describe_response(row: Any) -> Json | None:
    request_id = f"req_{row.id.hex}"
    if row.state == JobState.FAILED:
        # A request that was refused has no step.
        is_refused = row.error is None
        kind = "invalid_request_error" if is_refused else "server_error"
        body: Json = {"error": {"message": row.reason, "type": kind, "param": None, "code": None}}
        return {"status_code": 400 if is_refused else 500, "request_id": request_id, "body": body}
    return {"status_code": 200, "request_id": request_id, "body": _describe_completion(row)}


def _describe_completion(row: Any) -> Json:
    prompt, completion = row.prompt_tokens or 0, row.completion_tokens or 0
    message = {"role": "assistant", "content": row.summary, "refusal": None}
    return {
        "id": f"chatcmpl-{row.id.hex}",
        "object": "chat.completion",
        "created": int(row.finished_at.timestamp()) if row.finished_at else 0,
        "model": row.weights,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": row.finish_reason or "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        "system_fingerprint": (row.weights_fingerprint or "")[:FINGERPRINT_DIGITS] or None,
    }
