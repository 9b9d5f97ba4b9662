"""Claiming steps: one statement for any number, which also reads their jobs' options and the texts of their chunks.

The round trips are most of the cost of a step, so there is one, and steps that are claimed at the same time share it.
Paste ``CLAIM`` behind ``EXPLAIN`` to see its plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, column, text

from models.base import Json
from models.lock_wait import LIMIT_LOCK_WAIT, NO_LIMIT


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
    document_format: str
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


# Turns messages into claimed steps. Returns the texts of their chunks, which saves map steps a round trip.
#
# Its plan must be good without statistics, which Postgres has of new rows a minute late. Without them it takes jobs
# that can run for rare, and would read all of them with all of their steps for every claim; of a CASE it expects that
# half of the rows pass. Of a LIMIT that it computes it expects a tenth of the rows, so it counts on one message and
# keeps one plan for any number, because to plan takes longer than to claim. OFFSET 0 finds the chunks one by one.
CLAIM = f"""
WITH settings AS MATERIALIZED (
    SELECT
        {LIMIT_LOCK_WAIT},
        -- Does not wait for the disk: what a crash of Postgres takes back is a lease, and its worker notices.
        set_config('synchronous_commit', 'off', true)
)
UPDATE steps
SET state = 'running',
    attempt = steps.attempt + 1,
    lease_token = message.token,
    lease_owner = :worker,
    lease_until = now() + :lease_length,
    started_at = clock_timestamp()
FROM settings,
    (
        SELECT step_id, token
        FROM unnest(CAST(:step_ids AS uuid[]), CAST(:tokens AS uuid[])) AS message (step_id, token)
        LIMIT (SELECT cardinality(CAST(:step_ids AS uuid[])))
    ) AS message,
    jobs JOIN documents ON documents.sha256 = jobs.document_sha256
WHERE steps.id = message.step_id
  -- The same token may ask again after a COMMIT whose reply was lost.
  AND (steps.state = 'ready' AND steps.available_at <= now() OR steps.lease_token = message.token)
  AND jobs.id = steps.job_id
  -- A job that has its summary may still have steps: its check, and a second try.
  AND CASE WHEN jobs.state IN ('queued', 'running', 'succeeded', 'partial') THEN jobs.cancel_requested_at IS NULL END
RETURNING
    steps.id,
    message.token,
    steps.job_id,
    jobs.batch_id,
    jobs.document_sha256,
    documents.format,
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
        FROM jsonb_array_elements(steps.inputs) AS input,
            LATERAL (
                SELECT * FROM chunks WHERE job_id = steps.job_id AND index = (input ->> 'chunk')::integer OFFSET 0
            ) AS chunks
    ),
    steps.attempt,
    steps.errors,
    steps.crashes,
    steps.is_solo
"""  # noqa: S608 - all parts are constants
# Named, so that SQLAlchemy reads the description of the result once instead of at every claim.
_CLAIM = text(CLAIM).columns(*(column(name) for name in Claim.__slots__))


def claim_steps(
    connection: Connection,
    steps: Mapping[UUID, UUID],
    *,
    worker: str,
    lease_seconds: float,
    lock_wait: str = NO_LIMIT,
) -> Mapping[UUID, Claim]:
    """Claim the ready ones of several steps, and return the claims by their tokens.

    A token without a claim means that the message is a duplicate or its job has ended, and can be dropped.

    Args:
        connection: commits at once.
        steps: the id of a step by the token of its claim.
        worker: id of the registered worker.
        lease_seconds: length of the leases.
        lock_wait: longest wait for a step's row (see ``lock_wait``).
    """
    values = {
        "step_ids": list(steps.values()),
        "tokens": list(steps),
        "worker": worker,
        "lease_length": timedelta(seconds=lease_seconds),
        "lock_wait": lock_wait,
    }
    found = (Claim(*row) for row in connection.execute(_CLAIM, values))
    return {claim.token: claim for claim in found}
