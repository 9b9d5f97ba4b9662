"""Drives jobs to their end by writing the rows that a worker would write."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from models import outbox, step_updates
from models.base import Json
from models.claims import Claim, claim_step
from models.job import Chunk, Job, JobState
from models.outbox import NewStep
from models.results import StepResult, end_step
from models.step import Step, StepState
from models.tables import Document, Worker

WORKER = "cpu@test#1"


@dataclass(frozen=True, slots=True)
class Driver:
    """A worker without an engine: what it "generates" names the step."""

    engine: Engine

    def register(self) -> None:
        """Be there, as a worker process is."""
        with Session(self.engine) as session, session.begin():
            step_updates.register_worker(
                session,
                Worker(
                    id=WORKER,
                    node="cpu@test",
                    host="test",
                    pid=1,
                    device="cpu",
                    weights="default",
                    weights_fingerprint="f",
                ),
            )

    def plan(self, job_id: uuid.UUID, *, chunks: int = 3, strategy: str = "map-reduce") -> None:
        """End the plan step: cut the document evenly and create the first wave."""
        with Session(self.engine) as session, session.begin():
            job = self._finish(session, job_id, "plan", output=f"{strategy}: chosen by the test")
            self._cut(session, job, chunks)
            job.state, job.strategy = JobState.RUNNING, strategy
            job.options = job.options | {"style": "technical"}
            job.started_at = session.execute(select(step_updates.func.clock_timestamp())).scalar_one()
            job.plan = {"reason": "chosen by the test", "chunks": chunks, "splitter": "headers", "split_reason": "so"}
            steps = self._first_steps(strategy, chunks)
            job.pending = len(steps)
            outbox.add_steps(session, job, steps)

    def run(
        self, job_id: uuid.UUID, *, chunks: int = 3, strategy: str = "map-reduce", words: str = "a summary"
    ) -> None:
        """Run a job to its success."""
        self.plan(job_id, chunks=chunks, strategy=strategy)
        self.finish_maps(job_id, chunks=chunks, strategy=strategy, words=words)
        self.close(job_id, chunks=chunks, strategy=strategy, words=words)

    def finish_maps(
        self, job_id: uuid.UUID, *, chunks: int = 3, strategy: str = "map-reduce", words: str = "m"
    ) -> None:
        """End everything before the last step."""
        with Session(self.engine) as session, session.begin():
            if strategy == "map-reduce":
                for index in range(chunks):
                    self._finish(session, job_id, "map", index, output=f"part {index} of {words}")
                inputs = tuple({"kind": "map", "level": 0, "index": index} for index in range(chunks))
                outbox.add_steps(session, session.get_one(Job, job_id), [NewStep("reduce", 1, 0, inputs)])
            for index in range(chunks - 1 if strategy == "refine" else 0):
                self._finish(session, job_id, "refine", index, output=f"draft {index} of {words}")
                inputs = ({"kind": "refine", "level": 0, "index": index}, {"chunk": index + 1})
                outbox.add_steps(session, session.get_one(Job, job_id), [NewStep("refine", 0, index + 1, inputs)])

    def close(
        self,
        job_id: uuid.UUID,
        *,
        chunks: int = 3,
        strategy: str = "map-reduce",
        words: str = "a summary",
        state: JobState = JobState.SUCCEEDED,
        reason: str | None = None,
    ) -> None:
        """End the last step and the job."""
        kind = {"map-reduce": "reduce", "refine": "refine", "stuff": "stuff"}[strategy]
        with Session(self.engine) as session, session.begin():
            job = self._finish(session, job_id, kind, chunks - 1 if kind == "refine" else 0, output=words)
            step_updates.end_job(job, state, summary=words, reason=reason)

    def fail(self, job_id: uuid.UUID, kind: str, index: int = 0, *, message: str = "it broke") -> None:
        """Fail a step and its job."""
        with Session(self.engine) as session, session.begin():
            job = step_updates.lock_job(session, job_id)
            claim = self._claim(session, job_id, kind, index)
            step_updates.fail_step(session, claim, {"type": "PermanentError", "message": message}, worker=WORKER)
            step_updates.end_job(job, JobState.FAILED, reason=message)

    def claim(self, job_id: uuid.UUID, kind: str, index: int = 0) -> Claim:
        """Begin a step."""
        with Session(self.engine) as session, session.begin():
            return self._claim(session, job_id, kind, index)

    def _claim(self, session: Session, job_id: uuid.UUID, kind: str, index: int) -> Claim:
        step = session.scalars(
            select(Step.id).where(Step.job_id == job_id, Step.kind == kind, Step.index == index)
        ).one()
        claim = claim_step(session.connection(), step, token=uuid.uuid4(), worker=WORKER, lease_seconds=60)
        assert claim is not None
        return claim

    def _finish(self, session: Session, job_id: uuid.UUID, kind: str, index: int = 0, *, output: str) -> Job:
        job = step_updates.lock_job(session, job_id)
        claim = self._claim(session, job_id, kind, index)
        facts: Json = {} if kind == "plan" else {
            "prompt_tokens": 100, "completion_tokens": 20, "finish_reason": "stop", "seconds": 2.0,
            "weights_fingerprint": "f", "prompt_fingerprint": "p", "params": {"temperature": 0.1},
        }  # fmt: skip
        assert end_step(session, claim, StepResult(output=output, **facts), worker=WORKER)
        return job

    def _cut(self, session: Session, job: Job, chunks: int) -> None:
        length = session.get_one(Document, job.document_sha256).characters
        ends = [length * (index + 1) // chunks for index in range(chunks)]
        session.execute(
            insert(Chunk),
            [
                {
                    "job_id": job.id,
                    "index": index,
                    "start_at": start,
                    "end_at": end,
                    "headings": [f"Part {index}"],
                    "tokens": 50,
                }
                for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
            ],
        )

    def _first_steps(self, strategy: str, chunks: int) -> list[NewStep]:
        if strategy == "map-reduce":
            return [NewStep("map", 0, index, ({"chunk": index},)) for index in range(chunks)]
        if strategy == "stuff":
            return [NewStep("stuff", 0, 0, tuple({"chunk": index} for index in range(chunks)))]
        return [NewStep("refine", 0, 0, ({"chunk": 0},))]


def ready_steps(engine: Engine) -> list[tuple[str, int]]:
    """Return kind and index of every step that waits."""
    with Session(engine) as session:
        rows = session.execute(select(Step.kind, Step.index).where(Step.state == StepState.READY)).all()
    return sorted((kind, index) for kind, index in rows)
