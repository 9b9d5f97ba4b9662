"""Completion of a step with its result, and lookup of a cached result, in one statement each.

A step with unfinished siblings, as nearly all of a large document have, needs no explicit transaction: its statement
also counts it. The other ends of an attempt are in ``step_updates``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection, TextClause, bindparam, cast, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from models.base import Json, constant
from models.claims import Claim
from models.job import Job
from models.step import CachedResult, Step, StepState


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of a finished step; the fields are columns of ``steps``."""

    output: str
    output_tokens: int | None = None
    identity: str | None = None
    cached_from: UUID | None = None
    prompt_fingerprint: str | None = None
    weights_fingerprint: str | None = None
    params: Json | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    seconds: float | None = None
    guards: tuple[Json, ...] = ()
    sentences: tuple[Json, ...] = ()


# Shared by both statements that finish a step, after a CTE ``job`` that locks the job's row: the lock order is job,
# then step. The lease token is a fence: a worker that lost its lease changes nothing.
_STORE_RESULT = """
ended AS (
    UPDATE steps
    SET state = 'done',
        crashes = :crashes,
        done_token = lease_token,
        lease_token = NULL,
        lease_until = NULL,
        worker = :worker,
        finished_at = clock_timestamp(),
        output = :output,
        output_tokens = :output_tokens,
        identity = :identity,
        cached_from = :cached_from,
        prompt_fingerprint = :prompt_fingerprint,
        weights_fingerprint = :weights_fingerprint,
        params = :params,
        prompt_tokens = :prompt_tokens,
        completion_tokens = :completion_tokens,
        finish_reason = :finish_reason,
        seconds = :seconds,
        guards = :guards,
        sentences = :sentences
    WHERE id = :step_id AND lease_token = :token AND state = 'running' AND EXISTS (SELECT FROM job)
    RETURNING id, job_id, attempt, lease_owner, started_at, identity, guards
),
cached AS (
    INSERT INTO cached_results (identity, step_id)
    SELECT identity, id FROM ended WHERE identity IS NOT NULL AND NOT guards @> '[{"stands": true}]'
    ON CONFLICT (identity) DO UPDATE SET step_id = excluded.step_id
),
attempt AS (
    INSERT INTO step_attempts (step_id, attempt, worker, started_at, outcome)
    SELECT id, attempt, lease_owner, started_at, 'done' FROM ended
)"""
# Finishes any step and returns its job, locked; the caller counts the step and creates the next ones.
FINISH = f"""
WITH job AS (
    SELECT * FROM jobs WHERE id = :job_id FOR UPDATE
),{_STORE_RESULT}
SELECT
    job.id, job.batch_id, job.identity, job.document_sha256, job.source, job.position, job.options, job.weights,
    job.priority, job.state, job.strategy, job.plan, job.pending, job.summary, job.round, job.verified,
    job.quoted, job.flagged, job.reason, job.review,
    job.cancel_requested_at, job.created_at, job.started_at, job.finished_at
FROM job, ended
"""  # noqa: S608 - both parts are constants
# Finishes a step and counts it, if other steps of its wave are unfinished, so that no new steps are to be created.
FINISH_AMONG_SIBLINGS = f"""
WITH job AS (
    SELECT id FROM jobs WHERE id = :job_id AND pending > 1 AND cancel_requested_at IS NULL FOR UPDATE
),{_STORE_RESULT}
UPDATE jobs SET pending = pending - 1 WHERE id IN (SELECT job_id FROM ended) RETURNING id
"""  # noqa: S608 - both parts are constants


def _type_json(statement: str) -> TextClause:
    return text(statement).bindparams(
        *(bindparam(name, type_=Step.__table__.c[name].type) for name in ("params", "guards", "sentences"))
    )


# Headings and data can be long, and no step needs them.
_JOB_COLUMNS = [column for column in Job.__table__.c if column.name not in ("headings", "data")]
_FINISH = (
    select(Job).from_statement(_type_json(FINISH).columns(*_JOB_COLUMNS)).execution_options(populate_existing=True)
)
_FINISH_AMONG_SIBLINGS = _type_json(FINISH_AMONG_SIBLINGS)


def end_among_siblings(connection: Connection, claim: Claim, result: StepResult, *, worker: str) -> bool:
    """Store the result of a step and count it as ended, if other steps of its wave are unfinished.

    Returns:
        False, with nothing written, if it is the last, if its job is being cancelled or if its lease was lost.
    """
    return connection.execute(_FINISH_AMONG_SIBLINGS, _describe_end(claim, result, worker)).one_or_none() is not None


def end_step(session: Session, claim: Claim, result: StepResult, *, worker: str) -> Job | None:
    """Lock a step's job and store the result of the step; the caller counts it.

    Returns:
        The job; None if the lease was lost, and the caller must not write.
    """
    return session.execute(_FINISH, _describe_end(claim, result, worker)).scalar_one_or_none()


def _describe_end(claim: Claim, result: StepResult, worker: str) -> Json:
    return {
        "job_id": claim.job_id,
        "step_id": claim.step_id,
        "token": claim.token,
        "worker": worker,
        # The count before ``begin_alone``, because the attempt ended in order.
        "crashes": claim.crashes,
        **{name: getattr(result, name) for name in StepResult.__slots__},
    }


CACHED = (
    select(Step.id, *(getattr(Step, name) for name in StepResult.__slots__))
    .where(
        Step.id
        == select(CachedResult.step_id).where(CachedResult.identity == bindparam("this_identity")).scalar_subquery(),
        # The step may have been started again since.
        Step.identity == bindparam("this_identity"),
        Step.state == constant(StepState.DONE),
        ~Step.guards.contains(cast(constant('[{"stands": true}]'), JSONB)),
    )
    .limit(1)
)


def find_cached(connection: Connection, identity: str) -> StepResult | None:
    """Return the result of a finished step with this identity whose output no guard marks."""
    row = connection.execute(CACHED, {"this_identity": identity}).one_or_none()
    if row is None:
        return None
    step, *columns = row
    result = StepResult(*columns)
    return replace(
        result,
        cached_from=result.cached_from or step,
        seconds=0.0,
        guards=tuple(result.guards),
        sentences=tuple(result.sentences),
    )
