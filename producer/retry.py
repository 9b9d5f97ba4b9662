"""Retries ended jobs: runs failed and cancelled steps again and keeps finished ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Engine, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from models.job import OPEN_STATES, Chunk, Job, JobState
from models.outbox import restart_steps
from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.sentence_updates import delete_sentences
from models.step import Step, StepKind, StepState, of_job
from models.step_updates import lock_job
from models.tables import Evaluation

# Jobs per transaction: their rows are locked until it ends.
BLOCK_JOBS = 50

Wave = tuple[int, int]


class RetryOutcome(StrEnum):
    """Effect of a request to retry a job."""

    RESTARTED = "restarted"
    OPEN = "still open"
    WHOLE = "nothing to run again"
    DELETED = "deleted meanwhile"


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step with its place in the job."""

    id: UUID
    kind: str
    level: int
    index: int
    state: str
    is_marked: bool

    @property
    def wave(self) -> Wave:
        """Order of execution: a step runs when all steps of smaller waves have ended."""
        if self.kind == StepKind.PLAN:
            return -1, 0
        return (0, self.index) if self.kind == StepKind.REFINE else (self.level, 0)


def retry_jobs(
    database: Engine, outbox_publisher: OutboxPublisher, jobs: Sequence[UUID], *, with_marked: bool = False
) -> Counter[RetryOutcome]:
    """Retry jobs block by block, publish their steps, and count the outcomes."""
    replies: Counter[RetryOutcome] = Counter()
    for start in range(0, len(jobs), BLOCK_JOBS):
        step_messages = []
        with Session(database) as session, session.begin():
            # Sorted, so that two retries cannot deadlock.
            for job in sorted(jobs[start : start + BLOCK_JOBS]):
                reply, ready = retry_job(session, job, with_marked=with_marked)
                replies[reply] += 1
                step_messages += ready
        outbox_publisher.publish(step_messages)
    return replies


def retry_job(session: Session, job_id: UUID, *, with_marked: bool = False) -> tuple[RetryOutcome, list[StepMessage]]:
    """Reopen an ended job and make its failed and cancelled steps ready.

    Later waves are deleted, because their inputs change; workers create them again. Metrics, the second try of a check
    and the sentences of the summary are deleted too.

    Args:
        session: the caller commits, then publishes the messages.
        job_id: id of the job.
        with_marked: also run steps again whose output is marked by a guard.
    """
    job = lock_job(session, job_id)
    if job is None:
        return RetryOutcome.DELETED, []
    if job.state in OPEN_STATES:
        return RetryOutcome.OPEN, []
    steps = list(_read_places(session, job_id))
    if _has_running(session, job_id):
        # A check, or a step that was claimed during a cancellation; it completes.
        return RetryOutcome.OPEN, []
    again = _choose_steps(steps, job.state, with_marked=with_marked)
    if not again:
        return RetryOutcome.WHOLE, []
    wave = again[0].wave
    _delete_later(session, job_id, [step.id for step in steps if step.wave > wave])
    delete_sentences(session, job)
    _reopen(session, job, again)
    return RetryOutcome.RESTARTED, restart_steps(session, [step.id for step in again])


def _has_running(session: Session, job_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(of_job(job_id), Step.state == StepState.RUNNING))))


def _read_places(session: Session, job_id: UUID) -> Iterator[PlacedStep]:
    is_marked = Step.guards.contains([{"stands": True}])
    rows = session.execute(
        select(Step.id, Step.kind, Step.level, Step.index, Step.state, is_marked)
        .where(of_job(job_id), Step.round == 0, Step.kind != StepKind.EVALUATE)
        .order_by(Step.level, Step.index)
    )
    return (PlacedStep(*row) for row in rows)


def _choose_steps(steps: Sequence[PlacedStep], state: str, *, with_marked: bool) -> list[PlacedStep]:
    """Return the steps to run again in the first wave that has any."""
    poor = [
        step
        for step in steps
        if step.state in {StepState.FAILED, StepState.CANCELLED} or (with_marked and step.is_marked)
    ]
    if not poor and steps and state in {JobState.CANCELLED, JobState.FAILED}:
        # The job ended between two waves, and only the end of a step creates the next wave.
        poor = [max(steps, key=lambda step: step.wave)]
    first = min((step.wave for step in poor), default=None)
    return [step for step in poor if step.wave == first]


def _delete_later(session: Session, job_id: UUID, later: Sequence[UUID]) -> None:
    session.execute(delete(Step).where(Step.id.in_(later)))
    session.execute(delete(Step).where(of_job(job_id), or_(Step.kind == StepKind.EVALUATE, Step.round > 0)))
    session.execute(delete(Evaluation).where(Evaluation.job_id == job_id))


def _reopen(session: Session, job: Job, again: Sequence[PlacedStep]) -> None:
    is_planned = again[0].kind != StepKind.PLAN
    if not is_planned:
        session.execute(delete(Chunk).where(Chunk.job_id == job.id))
        job.strategy = job.plan = None
    # Reset, so that the job's duration leaves out the time between its end and the retry.
    job.started_at = session.scalar(select(func.now())) if is_planned else None
    job.state = JobState.RUNNING if is_planned else JobState.QUEUED
    job.pending = len(again)
    job.round = 0
    job.summary = job.data = job.reason = job.review = job.cancel_requested_at = job.finished_at = None
