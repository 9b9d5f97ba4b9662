"""Claiming a step: one statement, which also reads the options of its job and the texts of its chunks.

The round trips are most of the cost of a step, so there is one. Paste ``CLAIM`` behind ``EXPLAIN`` to see its plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from models.base import Json


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed step with the options of its job; valid until its lease expires.

    Tracebacks may show its repr, so that leaves out the texts of users.
    """

    step_id: UUID
    token: UUID
    job_id: UUID
    batch_id: UUID
    document_sha256: str
    # JSON text, equal for all jobs of a batch, so that its parsed form can be cached.
    options: str = field(repr=False)
    # Set by the plan step; None before it.
    limits: Json | None
    chunk_count: int | None
    round: int
    kind: str
    level: int
    index: int
    inputs: list[Json]
    # Index, headings, text and place in the document of every input chunk; None without one.
    chunks: list[tuple[int, list[str], str, int]] | None = field(repr=False)
    attempt: int
    errors: int
    crashes: int
    is_solo: bool


# Turns a message into a claimed step. Returns the texts of its chunks, which saves map steps a round trip.
CLAIM = """
UPDATE steps
SET state = 'running',
    attempt = steps.attempt + 1,
    lease_token = :token,
    lease_owner = :worker,
    lease_until = now() + :lease_length,
    started_at = clock_timestamp()
FROM jobs
WHERE steps.id = :step_id
  -- The same token may ask again after a COMMIT whose reply was lost.
  AND (steps.state = 'ready' AND steps.available_at <= now() OR steps.lease_token = :token)
  AND jobs.id = steps.job_id
  -- A job that has its summary may still have steps: its check, and a second try.
  AND jobs.state IN ('queued', 'running', 'succeeded', 'partial')
  AND jobs.cancel_requested_at IS NULL
RETURNING
    steps.job_id,
    jobs.batch_id,
    jobs.document_sha256,
    jobs.options::text,
    jobs.plan -> 'limits',
    (jobs.plan ->> 'chunks')::integer,
    steps.round,
    steps.kind,
    steps.level,
    steps.index,
    steps.inputs,
    (
        SELECT jsonb_agg(jsonb_build_array(
            chunks.index,
            chunks.headings,
            substr(documents.text, chunks.start_at + 1, chunks.end_at - chunks.start_at),
            chunks.start_at
        ))
        FROM chunks
        JOIN documents ON documents.sha256 = jobs.document_sha256
        WHERE chunks.job_id = steps.job_id
          AND chunks.index IN (SELECT (jsonb_array_elements(steps.inputs) ->> 'chunk')::integer)
    ),
    steps.attempt,
    steps.errors,
    steps.crashes,
    steps.is_solo,
    -- Does not wait for the disk: what a crash of Postgres takes back is a lease, and its worker notices.
    set_config('synchronous_commit', 'off', true)
"""
_CLAIM = text(CLAIM)


def claim_step(connection: Connection, step: UUID, *, token: UUID, worker: str, lease_seconds: float) -> Claim | None:
    """Claim a ready step; None means that the message is a duplicate or its job has ended, and can be dropped."""
    length = timedelta(seconds=lease_seconds)
    values = {"step_id": step, "token": token, "worker": worker, "lease_length": length}
    row = connection.execute(_CLAIM, values).one_or_none()
    if row is None:
        return None
    *columns, _ = row
    return Claim(step, token, *columns)
