"""A worker driven by hand: its broker is a list, and its engine a fake or a list of results that a test gives."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from models import step_updates
from models.base import Json
from models.claims import Claim
from models.job import Job
from models.options import JobOptions
from models.queues import StepMessage
from models.results import StepResult
from models.settings import Settings
from models.step import Step, StepKind, StepState
from models.tables import Document, Worker
from tests.fake_engine import FakeGenerator
from workers.broker.tasks import run_step
from workers.errors import PermanentError, StepError
from workers.evaluation.metric import SCORES, Metric
from workers.evaluation.verification import ClaimJudge
from workers.execution.executor import StepExecutor
from workers.execution.leases import Leases
from workers.execution.progression import StepOutcome
from workers.execution.store import StepStore
from workers.summarization.chunks import PlannedChunk, Split
from workers.summarization.estimate import estimate_totals
from workers.summarization.limits import Limits
from workers.summarization.planning import Plan
from workers.summarization.steps import JobProgress, NextSteps, Strategy
from workers.summarization.strategies import next_steps
from workers.summarization.structure import Heading
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt

WORKER = "cpu@test#1"
# Room for every output of a test in one prompt.
LIMITS = Limits(8192, max_new_tokens=512, output_tokens=512, map_frame=50, combine_frame=50, refine_frame=50)


class Bell:
    """Collects step messages; ``is_broken`` loses them, as a dead broker does."""

    def __init__(self) -> None:
        self.waiting: list[StepMessage] = []
        self.is_broken = False

    def publish(self, step_messages: Iterable[StepMessage]) -> int:
        step_messages = list(step_messages)
        if self.is_broken:
            return 0
        self.waiting += step_messages
        return len(step_messages)


class HandDrivenWorker:
    """Executor of one worker; its steps run when and in the threads that a test chooses."""

    def __init__(
        self,
        engine: Engine,
        generator: FakeGenerator,
        *,
        node: str = "w1",
        trained_prompt: TrainedPrompt = UNTRAINED,
        judge: ClaimJudge | None = None,
        **settings: object,
    ) -> None:
        self.engine = engine
        self.bell = Bell()
        statements = engine.execution_options(isolation_level="AUTOCOMMIT")
        store = StepStore(statements, self.bell, worker_id=node, lease_seconds=600)
        self.leases = Leases(
            engine,
            must_end=store.must_end,
            worker_id=node,
            lease_seconds=600,
            heartbeat_seconds=0.2,
            is_hung=lambda: False,
            on_hang=lambda: None,
        )
        self.executor = StepExecutor(
            store, generator, self.leases, settings=Settings(**settings), trained_prompt=trained_prompt, judge=judge
        )

    def run_step(self, step_id: UUID) -> None:
        """Take the message of one step."""
        run_step(self.executor, step_id)

    def run_all(self, step_messages: Iterable[StepMessage] = ()) -> int:
        """Run steps until no message is left; return how many messages there were."""
        self.bell.waiting += step_messages
        count = 0
        while self.bell.waiting:
            count += 1
            try:
                self.run_step(self.bell.waiting.pop(0).step_id)
            except StepError:
                continue
        return count


class ScriptedRunner:
    """Replaces the runner of an executor: every step has the outcome that the test gave."""

    def __init__(self) -> None:
        self.outcome: StepOutcome | None = None

    def run(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        return self.outcome


class Driver(HandDrivenWorker):
    """Ends any step of any job with a result that the test gives; the executor is the real one."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, FakeGenerator(), node=WORKER)
        self._runner = ScriptedRunner()
        self.executor._runner = self._runner  # type: ignore[assignment]

    def register(self) -> None:
        """Be there, as a worker process is."""
        worker = Worker(id=WORKER, node="cpu@test", host="test", pid=1, device="cpu")
        worker.weights, worker.weights_fingerprint = "default", "f"
        with Session(self.engine) as session, session.begin():
            step_updates.register_worker(session, worker)

    def claim(self, job_id: UUID, kind: str, index: int = 0, *, round_number: int = 0) -> Claim:
        """Begin a step."""
        place = (Step.job_id == job_id, Step.kind == kind, Step.index == index, Step.round == round_number)
        with Session(self.engine) as session:
            step = session.scalars(select(Step.id).where(*place)).one()
        claim = self.executor.claim(step)
        assert claim is not None
        return claim

    def plan(self, job_id: UUID, *, chunks: int = 3, strategy: Strategy = "map-reduce") -> None:
        """End the plan step: the document is cut evenly, and the strategy is the test's."""
        with Session(self.engine) as session:
            job = session.get_one(Job, job_id)
            options = JobOptions.model_validate(job.options).model_copy(update={"style": "technical"})
            length = session.get_one(Document, job.document_sha256).characters
        claim = self.claim(job_id, StepKind.PLAN)
        result = StepResult(output=f"{strategy}: chosen by the test")
        self._end(claim, StepOutcome(result, make_plan(strategy, length, chunks), options=options))

    def finish(self, claim: Claim, *, output: str, reason: str | None = None, sentences: Sequence[Json] = ()) -> None:
        """End a step that has begun; a reason says what is wrong with its output."""
        guards: tuple[Json, ...] = () if reason is None else ({"name": "g", "words": reason, "try": 1, "stands": True},)
        result = StepResult(
            output=output,
            prompt_tokens=100,
            completion_tokens=20,
            finish_reason="stop",
            seconds=2.0,
            weights_fingerprint="f",
            prompt_fingerprint="p",
            params={"temperature": 0.1},
            guards=guards,
            sentences=tuple(sentences),
        )
        self._end(claim, StepOutcome(result))

    def fail(self, job_id: UUID, kind: str, index: int = 0, *, message: str = "it broke") -> None:
        """Fail a step for good."""
        self.executor.fail(self.claim(job_id, kind, index), PermanentError(message))

    def run(
        self,
        job_id: UUID,
        *,
        chunks: int = 3,
        strategy: Strategy = "map-reduce",
        words: str = "a summary",
        sentences: Sequence[Json] = (),
    ) -> None:
        """Run a job to its success; the sentences are those of its summary."""
        self.plan(job_id, chunks=chunks, strategy=strategy)
        self.finish_maps(job_id, chunks=chunks, strategy=strategy, words=words)
        self.close(job_id, chunks=chunks, strategy=strategy, words=words, sentences=sentences)

    def finish_maps(
        self, job_id: UUID, *, chunks: int = 3, strategy: Strategy = "map-reduce", words: str = "m"
    ) -> None:
        """End everything before the last step."""
        if strategy == "map-reduce":
            for index in range(chunks):
                self.finish(self.claim(job_id, "map", index), output=f"part {index} of {words}")
        if strategy == "refine":
            for index in range(chunks - 1):
                self.finish(self.claim(job_id, "refine", index), output=f"draft {index} of {words}")

    def close(
        self,
        job_id: UUID,
        *,
        chunks: int = 3,
        strategy: Strategy = "map-reduce",
        words: str = "a summary",
        reason: str | None = None,
        sentences: Sequence[Json] = (),
    ) -> None:
        """End the last step, and with it the job; a reason makes it partial."""
        kind = {"map-reduce": "reduce", "refine": "refine", "stuff": "stuff"}[strategy]
        claim = self.claim(job_id, kind, chunks - 1 if kind == "refine" else 0)
        self.finish(claim, output=words, reason=reason, sentences=sentences)

    def finish_check(self, job_id: UUID, *, support: float = 0.9) -> None:
        """End the check of a job that has its summary."""
        claim = self.claim(job_id, StepKind.EVALUATE)
        metrics = dict.fromkeys(SCORES, Metric(support))
        self._end(claim, StepOutcome(StepResult(output="checked"), metrics=metrics))

    def _end(self, claim: Claim, outcome: StepOutcome) -> None:
        self._runner.outcome = outcome
        self.executor.run(claim)


def make_plan(strategy: Strategy, length: int, chunks: int) -> Plan:
    """Return a plan that cuts a document of some length evenly."""
    ends = [length * (index + 1) // chunks for index in range(chunks)]
    spans = enumerate(zip([0, *ends[:-1]], ends, strict=True))
    split = tuple(PlannedChunk(index, start, end, (f"Part {index}",), tokens=50) for index, (start, end) in spans)
    state = JobProgress(strategy, LIMITS, chunks)
    first = next_steps(state)
    assert isinstance(first, NextSteps)
    totals = estimate_totals(state, [50] * chunks)
    headings = tuple(Heading(chunk.start, chunk.start, 1, *chunk.headings, chunk.headings) for chunk in split)
    return Plan(strategy, "chosen by the test", Split(split, "headers", "so"), LIMITS, first.steps, totals, headings)


def ready_steps(engine: Engine) -> list[tuple[str, int]]:
    """Return kind and index of every step that waits."""
    with Session(engine) as session:
        rows = session.execute(select(Step.kind, Step.index).where(Step.state == StepState.READY)).all()
    return sorted((kind, index) for kind, index in rows)


def ready_messages(engine: Engine) -> list[StepMessage]:
    """Return the message of every step that waits."""
    with Session(engine) as session:
        rows = session.execute(
            select(Step.id, Step.kind, Step.queue, Step.priority).where(Step.state == StepState.READY)
        )
        return [StepMessage(step_id=row.id, kind=row.kind, queue=row.queue, priority=row.priority) for row in rows]


def lose_lease(engine: Engine, step_id: UUID) -> None:
    """Make a running step ready, as the worker that reclaims it does."""
    with Session(engine) as session, session.begin():
        values = {"state": StepState.READY, "lease_token": None, "lease_until": None}
        session.execute(update(Step).where(Step.id == step_id).values(values))
