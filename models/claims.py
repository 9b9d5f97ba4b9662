"""Taking a step: one statement, which also reads what its job says and the texts of its chunks.

What a step costs the cluster is mostly round trips and the building of SQL, so the statement is built once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    Connection,
    Integer,
    Interval,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Json, constant
from models.job import OPEN_STATES, SUMMARIZED_STATES, Chunk, Job
from models.step import Step, StepState
from models.tables import Document


@dataclass(frozen=True, slots=True)
class Claim:
    """A step that this worker may run until its lease ends, with what its job says about it.

    Tracebacks may show what it looks like, so texts of users are not in that.
    """

    step_id: UUID
    token: UUID
    job_id: UUID
    batch_id: UUID
    document_sha256: str
    # As JSON, which is the same for all jobs of a batch.
    options: str = field(repr=False)
    # As the plan step has found them; None before it.
    limits: Json | None
    round: int
    kind: str
    level: int
    index: int
    inputs: list[Json]
    # Of every chunk among the inputs: index, headings, text. None if there is none.
    chunks: list[tuple[int, list[str], str]] | None = field(repr=False)
    attempt: int
    errors: int
    crashes: int
    is_solo: bool


_CHUNK = cast(func.jsonb_array_elements(Step.inputs).op("->>")(constant("chunk")), Integer)
# Read together with the claim: it saves every map step a round trip.
_CHUNKS = (
    select(
        func.jsonb_agg(
            func.jsonb_build_array(
                Chunk.index,
                Chunk.headings,
                func.substr(Document.text, Chunk.start_at + constant(1), Chunk.end_at - Chunk.start_at),
            )
        )
    )
    .join(Document, Document.sha256 == Job.document_sha256)
    .where(
        Chunk.job_id == Step.job_id,
        Chunk.index.in_(select(_CHUNK).correlate(Step)),
    )
    .correlate(Step, Job)
    .scalar_subquery()
)
CLAIM = (
    update(Step)
    .where(
        Step.id == bindparam("this_step"),
        or_(
            and_(Step.state == constant(StepState.READY), Step.available_at <= func.now()),
            # The same token may ask again after a COMMIT whose reply was lost.
            Step.lease_token == bindparam("this_token"),
        ),
        Job.id == Step.job_id,
        # A job that has its summary may still have steps: its check, and a second try.
        Job.state.in_([constant(state) for state in (*OPEN_STATES, *SUMMARIZED_STATES)]),
        Job.cancel_requested_at.is_(None),
    )
    .values(
        state=constant(StepState.RUNNING),
        attempt=Step.attempt + constant(1),
        lease_token=bindparam("this_token"),
        lease_owner=bindparam("this_worker"),
        lease_until=func.now() + bindparam("lease_length", type_=Interval),
        started_at=func.clock_timestamp(),
    )
    .returning(
        Step.job_id,
        Job.batch_id,
        Job.document_sha256,
        cast(Job.options, Text),
        Job.plan.op("->", return_type=JSONB)(constant("limits")),
        Step.round,
        Step.kind,
        Step.level,
        Step.index,
        Step.inputs,
        _CHUNKS,
        Step.attempt,
        Step.errors,
        Step.crashes,
        Step.is_solo,
        # Does not wait for the disk: what a crash of Postgres takes back is a lease, and its worker notices.
        func.set_config(constant("synchronous_commit"), constant("off"), true()),
    )
)


def claim_step(connection: Connection, step: UUID, *, token: UUID, worker: str, lease_seconds: float) -> Claim | None:
    """Take a ready step of a job; None means that there is nothing to do and the message can go."""
    length = timedelta(seconds=lease_seconds)
    values = {"this_step": step, "this_token": token, "this_worker": worker, "lease_length": length}
    row = connection.execute(CLAIM, values).one_or_none()
    if row is None:
        return None
    *columns, _ = row
    return Claim(step, token, *columns)
