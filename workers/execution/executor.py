"""Execution of one step: claim, run, then complete, fail, retry or release, then publish. Independent of Celery.

The state is in the rows, and a message only triggers a claim: every operation may run twice or stop at any point, and
the next claim continues from the rows.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from models.claims import Claim
from models.settings import Settings
from models.step import AttemptOutcome
from workers.engine.errors import ServerUnreachableError
from workers.errors import PermanentError, RetryableError
from workers.evaluation.verification import ClaimJudge
from workers.execution.gate import Gate
from workers.execution.leases import Lease, Leases, StopReason
from workers.execution.progression import describe_failure
from workers.execution.runner import StepRunner
from workers.execution.store import StepStore, is_outage
from workers.generation import TextGenerator
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt

log = structlog.get_logger()

# Maximum pause before a failed step runs again; it doubles from 1 second with each error.
MAX_BACKOFF_SECONDS = 60


class StepExecutor:
    """Executor of the steps of one worker process; thread-safe.

    Args:
        store: the rows of the steps.
        generator: the engine.
        leases: of this process.
        settings: of this process.
        trained_prompt: prompt that the weights were trained with.
        judge: verifier of sentences; None to check their facts only.
        remark: note on every generated step; None for none.
    """

    def __init__(
        self,
        store: StepStore,
        generator: TextGenerator,
        leases: Leases,
        *,
        settings: Settings,
        trained_prompt: TrainedPrompt = UNTRAINED,
        judge: ClaimJudge | None = None,
        remark: str | None = None,
    ) -> None:
        self.worker_id = store.worker_id
        self._store = store
        self._leases = leases
        self._settings = settings
        self._gate = Gate()
        self._runner = StepRunner(store, generator, trained_prompt, judge, remark=remark)

    def claim(self, step_id: UUID) -> Claim | None:
        """Claim a step if it is ready; None if its message is a duplicate or outdated."""
        return self._store.claim(step_id)

    def run(self, claim: Claim) -> None:
        """Run a claimed step, store its result, and publish the messages of the next steps.

        A step that was stopped is released instead, unless its lease was lost.

        Raises:
            PermanentError: the step cannot succeed.
            RetryableError: another attempt may succeed.
        """
        if claim.crashes >= self._settings.max_crashes:
            raise PermanentError(f"its worker died {claim.crashes} times while this step ran alone")
        with self._leases.hold(claim) as lease, self._gate.enter(is_alone=claim.is_solo):
            if claim.is_solo:
                self._store.begin_alone(claim)
            outcome = self._runner.run(claim, lease.stopped, self._settings.step_deadline_seconds)
            if outcome is not None:
                self._store.publish(self._store.complete(claim, outcome))
            elif lease.stopped.is_set():
                self._stop(lease)
            else:
                raise RetryableError(f"no result within {self._settings.step_deadline_seconds:.0f} s")

    def retry(self, claim: Claim, error: BaseException) -> None:
        """Return a step to ready after an error, or fail it after ``max_errors``; an outage does not count."""
        if is_outage(error) or isinstance(error, ServerUnreachableError):
            self._store.release(claim)
        elif claim.errors + 1 >= self._settings.max_errors:
            self.fail(claim, error)
        else:
            delay = min(2**claim.errors, MAX_BACKOFF_SECONDS)
            self._store.retry(claim, describe_failure(error), delay_seconds=delay)

    def fail(self, claim: Claim, error: BaseException) -> None:
        """Store a step as failed; the others of its wave continue, and the job's reason names the failure."""
        failure = describe_failure(error)
        log.warning("step_failed", kind=claim.kind, **failure)
        self._store.publish(self._store.fail(claim, failure))

    def _stop(self, lease: Lease) -> None:
        """Release a stopped step, unless its lease was lost, because another worker may have claimed it."""
        match lease.reason:
            case StopReason.LOST:
                log.warning("lease_was_lost", kind=lease.claim.kind)
            case StopReason.CANCELLED:
                self._store.release(lease.claim, AttemptOutcome.CANCELLED)
            case _:
                self._store.release(lease.claim)
