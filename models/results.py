"""Completion of steps with their results, and lookup of a cached result, in one statement each.

Steps with unfinished siblings, as nearly all of a large document have, need no explicit transaction: one statement ends
and counts any number of them. The other ends of an attempt are in ``step_updates``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection, bindparam, cast, column, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from models.base import Json, constant
from models.claims import Claim
from models.job import Job
from models.lock_wait import LIMIT_LOCK_WAIT, NO_LIMIT
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


# Ends of steps, as one array of JSON: one parameter, however many there are. Postgres expects ten elements of an array
# that it does not know; of a JSON array it expects a hundred, and would scan whole tables while they are small.
_ENDINGS = """
WITH ending AS MATERIALIZED (
    SELECT ending.* FROM unnest((SELECT CAST(:endings AS json[]))) AS stored, json_to_record(stored) AS ending (
        job_id uuid,
        step_id uuid,
        token uuid,
        place integer,
        crashes integer,
        output text,
        output_tokens integer,
        identity text,
        cached_from uuid,
        prompt_fingerprint text,
        weights_fingerprint text,
        params jsonb,
        prompt_tokens integer,
        completion_tokens integer,
        finish_reason text,
        seconds double precision,
        guards jsonb,
        sentences jsonb
    )
)"""
# Shared by both statements that finish steps, after a CTE ``job`` that locks the rows of their jobs: the lock order is
# job, then step. The lease token is a fence: a worker that lost its lease changes nothing.
_STORE_RESULT = """
ended AS (
    UPDATE steps
    SET state = 'done',
        crashes = ending.crashes,
        done_token = lease_token,
        lease_token = NULL,
        lease_until = NULL,
        worker = :worker,
        finished_at = clock_timestamp(),
        output = ending.output,
        output_tokens = ending.output_tokens,
        identity = ending.identity,
        cached_from = ending.cached_from,
        prompt_fingerprint = ending.prompt_fingerprint,
        weights_fingerprint = ending.weights_fingerprint,
        params = ending.params,
        prompt_tokens = ending.prompt_tokens,
        completion_tokens = ending.completion_tokens,
        finish_reason = ending.finish_reason,
        seconds = ending.seconds,
        guards = ending.guards,
        sentences = ending.sentences
    FROM ending, job
    WHERE steps.id = ending.step_id
      -- Only a running step has a token, by a constraint of the table. To ask for its state too would make Postgres
      -- read all running steps by their index.
      AND steps.lease_token = ending.token
      AND job.id = ending.job_id
      AND ending.place < job.places
    RETURNING
        steps.id, steps.job_id, steps.done_token, steps.attempt, steps.lease_owner, steps.started_at,
        steps.identity, steps.cached_from, steps.guards
),
cached AS (
    -- In order, so that two workers cannot deadlock.
    INSERT INTO cached_results (identity, step_id)
    SELECT DISTINCT ON (identity) identity, id FROM ended
    WHERE identity IS NOT NULL AND cached_from IS NULL AND NOT guards @> '[{"stands": true}]'
    ORDER BY identity
    ON CONFLICT (identity) DO UPDATE SET step_id = excluded.step_id
),
reused AS (
    -- A result that is found there lives on with the step that reuses it. Many steps may reuse one at the same time,
    -- and none waits for the transaction of another.
    UPDATE cached_results SET step_id = hit.id
    FROM (
        SELECT ended.id, ended.identity
        FROM ended JOIN cached_results ON cached_results.identity = ended.identity
        WHERE ended.cached_from IS NOT NULL
        FOR UPDATE OF cached_results SKIP LOCKED
    ) AS hit
    WHERE cached_results.identity = hit.identity
),
attempt AS (
    INSERT INTO step_attempts (step_id, attempt, worker, started_at, outcome)
    SELECT id, attempt, lease_owner, started_at, 'done' FROM ended
)"""
# Finishes any step and returns its job, locked; the caller counts the step and creates the next ones.
FINISH = f"""
{_ENDINGS},
job AS (
    SELECT *, 1 AS places FROM jobs WHERE id = (SELECT job_id FROM ending) FOR UPDATE
),{_STORE_RESULT}
SELECT
    job.id, job.batch_id, job.identity, job.document_sha256, job.source, job.position, job.options, job.weights,
    job.priority, job.state, job.strategy, job.plan, job.pending, job.summary, job.round, job.verified,
    job.quoted, job.flagged, job.reason, job.review,
    job.cancel_requested_at, job.created_at, job.started_at, job.finished_at
FROM job, ended
"""  # noqa: S608 - all parts are constants
# Finishes steps and counts them, except the last of a wave, after which new steps are to be created.
FINISH_SIBLINGS = f"""
{_ENDINGS},
settings AS MATERIALIZED (
    SELECT {LIMIT_LOCK_WAIT}
),
job AS (
    SELECT jobs.id, jobs.pending - 1 AS places
    FROM settings, jobs
    WHERE jobs.id = ANY (ARRAY(SELECT job_id FROM ending)) AND jobs.pending > 1 AND jobs.cancel_requested_at IS NULL
    ORDER BY jobs.id
    FOR UPDATE OF jobs
),{_STORE_RESULT},
counted AS (
    UPDATE jobs SET pending = jobs.pending - siblings.count
    FROM (SELECT job_id, count(*) FROM ended GROUP BY job_id) AS siblings
    WHERE jobs.id = siblings.job_id
)
SELECT done_token FROM ended
"""  # noqa: S608 - all parts are constants


# Headings and data can be long, and no step needs them.
_JOB_COLUMNS = [column for column in Job.__table__.c if column.name not in ("headings", "data")]
_FINISH = select(Job).from_statement(text(FINISH).columns(*_JOB_COLUMNS)).execution_options(populate_existing=True)
_FINISH_SIBLINGS = text(FINISH_SIBLINGS).columns(column("done_token"))


def end_siblings(
    connection: Connection, results: Sequence[tuple[Claim, StepResult]], *, worker: str, lock_wait: str = NO_LIMIT
) -> set[UUID]:
    """Store the results of steps and count them as ended, as far as other steps of their waves are unfinished.

    Args:
        connection: commits at once.
        results: the claims of the steps with their results.
        worker: id of the registered worker.
        lock_wait: longest wait for a job's row (see ``lock_wait``).

    Returns:
        The tokens of the claims that ended. Nothing is written for the others: the last of a wave, those of a job that
        is being cancelled, and those whose lease was lost.
    """
    places: Counter[UUID] = Counter()
    endings = []
    for claim, result in results:
        endings.append(_describe_end(claim, result) | {"place": places[claim.job_id]})
        places[claim.job_id] += 1
    values = {"endings": _encode(endings), "worker": worker, "lock_wait": lock_wait}
    return set(connection.scalars(_FINISH_SIBLINGS, values))


def end_step(session: Session, claim: Claim, result: StepResult, *, worker: str) -> Job | None:
    """Lock a step's job and store the result of the step; the caller counts it.

    Returns:
        The job; None if the lease was lost, and the caller must not write.
    """
    values = {"endings": _encode([_describe_end(claim, result)]), "worker": worker}
    return session.execute(_FINISH, values).scalar_one_or_none()


def _describe_end(claim: Claim, result: StepResult) -> Json:
    return {
        "job_id": claim.job_id,
        "step_id": claim.step_id,
        "token": claim.token,
        "place": 0,
        # The count before ``begin_alone``, because the attempt ended in order.
        "crashes": claim.crashes,
        **{name: getattr(result, name) for name in StepResult.__slots__},
    }


def _encode(endings: Sequence[Json]) -> list[str]:
    return [json.dumps(ending, default=str) for ending in endings]


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
