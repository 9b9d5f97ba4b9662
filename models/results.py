"""Ending a step with a result, and finding a result that is there already: one statement each.

A step whose siblings still run, as nearly all of a large document do, needs no transaction: its statement counts it
too. What else can end the run of a step is in ``queries``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import CTE, Connection, bindparam, cast, func, insert, null, select, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningInsert

from models.base import Json, constant
from models.claims import Claim
from models.job import Job
from models.step import AttemptOutcome, Step, StepAttempt, StepState


@dataclass(frozen=True, slots=True)
class StepResult:
    """Everything a finished step says about itself; the names are the columns'."""

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


# The step's job if other steps of its wave are still to end, locked: a job's row always is before that of a step.
_BUSY_JOB = (
    select(Job.id)
    .where(Job.id == bindparam("this_job"), Job.pending > constant(1), Job.cancel_requested_at.is_(None))
    .with_for_update()
    .cte("job")
)
_END = (
    update(Step)
    .where(
        Step.id == bindparam("this_step"),
        Step.lease_token == bindparam("this_token"),
        Step.state == constant(StepState.RUNNING),
    )
    .values(
        state=constant(StepState.DONE),
        crashes=bindparam("crashes_before"),
        done_token=Step.lease_token,
        lease_token=null(),
        lease_until=null(),
        worker=bindparam("this_worker"),
        finished_at=func.clock_timestamp(),
        **{name: bindparam(f"new_{name}", type_=Step.__table__.c[name].type) for name in StepResult.__slots__},
    )
    .returning(Step.id, Step.job_id, Step.attempt, Step.lease_owner, Step.started_at)
)
_ENDED_AMONG_SIBLINGS = _END.where(select(_BUSY_JOB.c.id).exists()).cte("ended")


def _record_attempt(ended: CTE) -> ReturningInsert[UUID]:
    rows = select(ended.c.id, ended.c.attempt, ended.c.lease_owner, ended.c.started_at, constant(AttemptOutcome.DONE))
    columns = ["step_id", "attempt", "worker", "started_at", "outcome"]
    return insert(StepAttempt).from_select(columns, rows).returning(StepAttempt.step_id)


# The job's row as it is once it is locked, before the step's.
_LOCKED_JOB = select(Job.__table__).where(Job.id == bindparam("this_job")).with_for_update().cte("job")
_ENDED = _END.where(select(_LOCKED_JOB.c.id).exists()).cte("ended")
END_STEP = (
    select(aliased(Job, _LOCKED_JOB))
    .join(_ENDED, true())
    .add_cte(_record_attempt(_ENDED).cte("attempt"))
    .execution_options(populate_existing=True)
)
# SQLAlchemy fills the index of a table's columns when a statement that needs it is first built. Two threads that do
# so at once may see half of it, and read from all jobs besides: so one does it, here.
END_STEP.compile()
END_AMONG_SIBLINGS = (
    update(Job)
    .where(Job.id.in_(select(_ENDED_AMONG_SIBLINGS.c.job_id)))
    .values(pending=Job.pending - constant(1))
    .returning(Job.id)
    .add_cte(_record_attempt(_ENDED_AMONG_SIBLINGS).cte("attempt"))
)


def end_among_siblings(connection: Connection, claim: Claim, result: StepResult, *, worker: str) -> bool:
    """Store a step's output and count the step as ended, if more steps of its wave are still to end.

    Returns:
        False if it is the last, if its job is being cancelled or if its lease was lost: then nothing is written.
    """
    return connection.execute(END_AMONG_SIBLINGS, _describe_end(claim, result, worker)).one_or_none() is not None


def end_step(session: Session, claim: Claim, result: StepResult, *, worker: str) -> Job | None:
    """Lock a step's job and store the step's output, for a caller who counts it.

    Returns:
        The job as it is now; None if the step's lease was lost: then nothing may be written.
    """
    return session.execute(END_STEP, _describe_end(claim, result, worker)).scalar_one_or_none()


def _describe_end(claim: Claim, result: StepResult, worker: str) -> Json:
    return {
        "this_job": claim.job_id,
        "this_step": claim.step_id,
        "this_token": claim.token,
        "this_worker": worker,
        "crashes_before": claim.crashes,
        **{f"new_{name}": getattr(result, name) for name in StepResult.__slots__},
    }


CACHED = (
    select(Step.id, *(getattr(Step, name) for name in StepResult.__slots__))
    .where(
        Step.identity == bindparam("this_identity"),
        Step.state == constant(StepState.DONE),
        ~Step.guards.contains(cast(constant('[{"stands": true}]'), JSONB)),
    )
    .limit(1)
)


def find_cached(connection: Connection, identity: str) -> StepResult | None:
    """Return the result of a finished step with this identity, if its output was generated and no guard stands."""
    row = connection.execute(CACHED, {"this_identity": identity}).one_or_none()
    if row is None:
        return None
    step, *columns = row
    result = StepResult(*columns)
    return replace(result, cached_from=result.cached_from or step, seconds=0.0, guards=tuple(result.guards))
