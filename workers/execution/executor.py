"""The walk of one step: claim, run, then complete, fail, retry or release, then publish. Knows no Celery.

A row is the truth and a message only a wake-up: everything here may happen twice or stop anywhere, and the next claim
goes on from the rows.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from models.claims import Claim
from models.settings import Settings
from models.step import AttemptOutcome
from workers.errors import PermanentError, RetryableError
from workers.execution.gate import Gate
from workers.execution.leases import Lease, Leases, StopReason
from workers.execution.progression import describe_failure
from workers.execution.runner import StepRunner
from workers.execution.store import StepStore, is_outage
from workers.generation import TextGenerator
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt

log = structlog.get_logger()

# Pauses before a failed step runs again: 1, 2, 4, ... seconds, up to this.
MAX_BACKOFF_SECONDS = 60


class Flow:
    """Runs steps for one worker process; its methods are called by many threads.

    Args:
        store: the rows of the steps.
        generator: the engine.
        leases: of this process.
        settings: of this process.
        trained_prompt: how the weights were trained to be asked.
    """

    def __init__(
        self,
        store: StepStore,
        generator: TextGenerator,
        leases: Leases,
        *,
        settings: Settings,
        trained_prompt: TrainedPrompt = UNTRAINED,
    ) -> None:
        self.worker_id = store.worker_id
        self._store = store
        self._leases = leases
        self._settings = settings
        self._gate = Gate()
        self._runner = StepRunner(store, generator, trained_prompt)

    def claim(self, step_id: UUID) -> Claim | None:
        """Claim a step if it is ready; None if its message is of no use (any more)."""
        return self._store.claim(step_id)

    def run(self, claim: Claim) -> None:
        """Run a claimed step to its end and publish the steps that come next.

        Raises:
            PermanentError: it cannot succeed.
            RetryableError: it did not, but may.
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
        """Give a step back after an error, or fail it when it has had enough of them."""
        if is_outage(error):
            self._store.release(claim)
        elif claim.errors + 1 >= self._settings.max_errors:
            self.fail(claim, error)
        else:
            delay = min(2**claim.errors, MAX_BACKOFF_SECONDS)
            self._store.retry(claim, describe_failure(error), delay_seconds=delay)

    def fail(self, claim: Claim, error: BaseException) -> None:
        """End a step for good; its siblings go on and the job's reason names the failure."""
        failure = describe_failure(error)
        log.warning("step_failed", kind=claim.kind, **failure)
        self._store.publish(self._store.fail(claim, failure))

    def _stop(self, lease: Lease) -> None:
        """End a run that was told to stop; after the loss of its lease the row is another worker's."""
        match lease.reason:
            case StopReason.LOST:
                log.warning("lease_was_lost", kind=lease.claim.kind)
            case StopReason.CANCELLED:
                self._store.release(lease.claim, AttemptOutcome.CANCELLED)
            case _:
                self._store.release(lease.claim)
