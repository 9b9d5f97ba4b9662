"""Progression of a job from wave to wave, with a barrier after each.

Steps of a wave run in parallel. The transaction that ends a step locks the job's row and counts the step; the one that
ends the last step creates the next wave. So of steps that end together exactly one creates it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Uuid, any_, bindparam, func, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.base import Json
from models.chat import CHAT_STRATEGY
from models.chat_updates import end_chat
from models.checks import SECOND_ROUND, is_check_cancelled, request_check
from models.job import Chunk, Job, JobState
from models.options import JobOptions
from models.outbox import NewStep, add_steps
from models.partitions import step_id
from models.queues import StepMessage
from models.results import StepResult
from models.sentence_updates import store_sentences
from models.session import describe_database_error
from models.step import Step, StepKind, StepState, of_job
from models.step_updates import end_job
from workers.evaluation.metric import Metric
from workers.summarization.limits import Limits
from workers.summarization.planning import Plan
from workers.summarization.steps import (
    ChunkInput,
    Conclusion,
    FinishedStep,
    NextSteps,
    StepInput,
    StepKey,
    StepSpec,
    Strategy,
)
from workers.summarization.steps import JobProgress as Progress
from workers.summarization.strategies import next_steps

OUTCOMES = {"succeeded": JobState.SUCCEEDED, "partial": JobState.PARTIAL, "failed": JobState.FAILED}


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Outcome of a finished step; only a plan step has a plan and options, only a check has metrics."""

    result: StepResult
    plan: Plan | None = None
    options: JobOptions | None = None
    metrics: Mapping[str, Metric] | None = None


def advance_job(session: Session, job: Job, plan: Plan | None, *, round_number: int) -> list[StepMessage]:
    """Count a step as ended; after the last of its wave, create the next wave or end the job.

    Args:
        session: holds the lock on the job's row, and has written the step's end.
        job: the step's job.
        plan: of a plan step; None of others.
        round_number: round of the step.

    Returns:
        The messages of the new steps.
    """
    if plan is not None:
        return _begin(session, job, plan)
    job.pending -= 1
    if job.pending > 0:
        return []
    if job.strategy == CHAT_STRATEGY:
        end_chat(session, job)
        return []
    match next_steps(read_progress(session, job, round_number)):
        case NextSteps(steps):
            return add_wave(session, job, steps, round_number=round_number)
        case Conclusion() as conclusion if round_number == SECOND_ROUND:
            return _end_second(session, job, conclusion)
        case Conclusion() as conclusion:
            return _end(session, job, conclusion)


def _begin(session: Session, job: Job, plan: Plan) -> list[StepMessage]:
    rows = [
        {
            "job_id": job.id,
            "index": chunk.index,
            "start_at": chunk.start,
            "end_at": chunk.end,
            "headings": list(chunk.headings),
            "tokens": chunk.tokens,
        }
        for chunk in plan.split.chunks
    ]
    session.execute(insert(Chunk), rows)
    job.started_at = func.clock_timestamp()
    job.state = JobState.RUNNING
    job.strategy = plan.strategy
    job.headings = [[heading.start, heading.path] for heading in plan.headings]
    job.plan = {
        "reason": plan.reason,
        "chunks": len(rows),
        "splitter": plan.split.splitter,
        "split_reason": plan.split.reason,
        "limits": asdict(plan.limits),
        "totals": asdict(plan.totals),
    }
    return add_wave(session, job, plan.first_steps, round_number=0)


def add_wave(session: Session, job: Job, steps: Iterable[StepSpec], *, round_number: int) -> list[StepMessage]:
    """Create the steps of a wave, set the job's count of pending steps, and return their messages."""
    if round_number and is_check_cancelled(session, job.id, round_number):
        return []
    new = [
        NewStep(spec.key.kind, spec.key.level, spec.key.index, tuple(map(_describe_input, spec.inputs)), round_number)
        for spec in steps
    ]
    job.pending = len(new)
    return add_steps(session, job, new)


def _end(session: Session, job: Job, conclusion: Conclusion) -> list[StepMessage]:
    step = conclusion.step
    summary = None if step is None else read_output(session.connection(), job.id, step, round_number=0)
    has_schema = job.options.get("output_schema") is not None
    # Every step of such a job has stored valid JSON.
    data = json.loads(summary) if has_schema and summary is not None else None
    end_job(job, OUTCOMES[conclusion.outcome], summary=summary, reason=join_reasons(conclusion), data=data)
    if step is not None:
        store_sentences(session, job, find_step(job.id, step, round_number=0))
    is_checked = JobOptions.model_validate(job.options).is_checked
    return request_check(session, job) if is_checked and step is not None else []


def _end_second(session: Session, job: Job, conclusion: Conclusion) -> list[StepMessage]:
    """End a second try; the first summary stays until a check finds the second better."""
    if conclusion.step is None:
        job.review = f"{job.review}, and a second try gave no summary"
        return []
    return request_check(session, job, round_number=SECOND_ROUND, reads=asdict(conclusion.step))


_OUTPUTS = select(Step.id, Step.output).where(Step.id == any_(bindparam("ids", type_=ARRAY(Uuid))))


def read_outputs(
    connection: Connection, job_id: UUID, keys: Iterable[StepKey], *, round_number: int
) -> Mapping[StepKey, str]:
    """Return the outputs of finished steps of a job."""
    ids = {find_step(job_id, key, round_number=round_number): key for key in keys}
    return {ids[step]: output or "" for step, output in connection.execute(_OUTPUTS, {"ids": list(ids)})}


def find_step(job_id: UUID, key: StepKey, *, round_number: int) -> UUID:
    """Return the id of the step at a place of a job."""
    return step_id(job_id, key.kind, key.level, key.index, round_number=round_number)


def read_output(connection: Connection, job_id: UUID, key: StepKey, *, round_number: int) -> str:
    """Return the output of a finished step of a job."""
    return read_outputs(connection, job_id, [key], round_number=round_number)[key]


def join_reasons(conclusion: Conclusion) -> str | None:
    """Return in one line why a summary is incomplete; None if it is complete."""
    return "; ".join(conclusion.reasons) or None


_PROGRESS = (
    select(Step.kind, Step.level, Step.index, Step.inputs, Step.state, Step.output_tokens, Step.guards, Step.error)
    .where(
        of_job(bindparam("job", type_=Uuid())),
        Step.round == bindparam("round"),
        Step.kind.not_in((StepKind.PLAN, StepKind.EVALUATE)),
    )
    .order_by(Step.level, Step.index)
)


# A hash of each output too, which decides where a digest's groups end.
_MARKED_PROGRESS = _PROGRESS.add_columns(func.hashtextextended(Step.output, 0).label("mark"))


def read_progress(session: Session, job: Job, round_number: int) -> Progress:
    """Return the ended steps of a round, for the strategy."""
    plan = job.plan or {}
    is_stable = plan["splitter"] == "stable"
    statement = _MARKED_PROGRESS if is_stable else _PROGRESS
    rows = session.connection().execute(statement, {"job": job.id, "round": round_number}).mappings()
    return Progress(
        strategy=cast("Strategy", job.strategy),
        limits=Limits(**plan["limits"]),
        chunk_count=plan["chunks"],
        steps=tuple(
            FinishedStep(
                spec=StepSpec(read_key(row), read_inputs(row["inputs"])),
                is_done=row["state"] == StepState.DONE,
                tokens=row["output_tokens"] or 0,
                notes=tuple(_list_notes(row["guards"], row["error"])),
                mark=((row["mark"] or 0) % 2**32) / 2**32 if is_stable else 0,
            )
            for row in rows
        ),
        is_stable=is_stable,
    )


def _list_notes(guards: Iterable[Json], error: Json | None) -> Iterable[str]:
    yield from (guard["words"] for guard in guards if guard["stands"])
    if error is not None:
        yield error["message"]


def read_key(row: object) -> StepKey:
    """Return a step's key from a row or a stored input."""
    place = cast("Json", row)
    return StepKey(place["kind"], place["level"], place["index"])


def read_inputs(inputs: Iterable[Json]) -> tuple[StepInput, ...]:
    """Return a step's inputs from their stored form."""
    return tuple(ChunkInput(stored["chunk"]) if "chunk" in stored else read_key(stored) for stored in inputs)


def _describe_input(source: StepInput) -> Json:
    return {"chunk": source.index} if isinstance(source, ChunkInput) else asdict(source)


def describe_failure(error: BaseException) -> Json:
    """Return the stored form of a step's error, which the job's reason may quote."""
    message = describe_database_error(error) if isinstance(error, DBAPIError) else str(error)
    return {"type": type(error).__name__, "message": message or type(error).__name__}
