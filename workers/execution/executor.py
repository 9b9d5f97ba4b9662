"""The flow: claim a step, run it, store what it said, decide what comes next. Knows no Celery.

A row is the truth and a message only a wake-up: everything here may happen twice or stop anywhere, and the next claim
goes on from the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from models import claims, outbox, results, step_updates
from models.base import Json
from models.claims import Claim
from models.job import OPEN_STATES, Job, JobState
from models.publisher import Publisher
from models.queues import StepMessage
from models.recovery import finish_cancel
from models.settings import Settings
from models.step import AttemptOutcome, StepKind
from workers.errors import PermanentError, RetryableError
from workers.execution.checks import conclude_check, fail_check
from workers.execution.gate import Gate
from workers.execution.leases import Lease, Leases, StopReason
from workers.execution.progression import StepOutcome, advance_job, describe_failure
from workers.execution.runner import StepRunner
from workers.execution.store import Result, is_outage, run_statements, write_rows
from workers.generation import TextGenerator
from workers.weights.trained_prompt import UNTRAINED, TrainedPrompt

log = structlog.get_logger()

# Pauses before a failed step runs again: 1, 2, 4, ... seconds, up to this.
MAX_BACKOFF_SECONDS = 60
# Steps of which a wave may have several.
SIBLING_KINDS = (StepKind.MAP, StepKind.COLLAPSE)
# What a log tells of a finished step: figures, never a text.
LOGGED = ("prompt_tokens", "completion_tokens", "seconds", "finish_reason")


class Flow:
    """Runs steps for one worker process; its methods are called by many threads.

    Args:
        transactions: on the results database.
        statements: on the same, each committed by itself.
        generator: what the steps ask.
        publisher: rings for the steps that come next.
        leases: of this process.
        settings: of this process.
        worker_id: as it is registered.
        trained_prompt: how the weights were trained to be asked.
    """

    def __init__(
        self,
        transactions: Engine,
        statements: Engine,
        generator: TextGenerator,
        publisher: Publisher,
        leases: Leases,
        *,
        settings: Settings,
        worker_id: str,
        trained_prompt: TrainedPrompt = UNTRAINED,
    ) -> None:
        self._transactions = transactions
        self._statements = statements
        self._publisher = publisher
        self._leases = leases
        self._settings = settings
        self.worker_id = worker_id
        self._gate = Gate()
        self._runner = StepRunner(statements, generator, trained_prompt)

    def claim(self, step_id: UUID) -> Claim | None:
        """Take a step if it is ready; None if the message has nothing to say (any more)."""
        token = uuid.uuid4()
        return self._run(
            lambda connection: claims.claim_step(
                connection, step_id, token=token, worker=self.worker_id, lease_seconds=self._settings.lease_seconds
            )
        )

    def run(self, claim: Claim) -> None:
        """Run a claimed step to its end and create what comes next.

        Raises:
            PermanentError: it cannot succeed.
            RetryableError: it did not, but may.
        """
        if claim.crashes >= self._settings.max_crashes:
            raise PermanentError(f"its worker died {claim.crashes} times while this step ran alone")
        with self._leases.hold(claim) as lease, self._gate.enter(is_alone=claim.is_solo):
            if claim.is_solo:
                self._write(lambda session: step_updates.begin_alone(session, claim))
            outcome = self._runner.run(claim, lease.stopped, self._settings.step_deadline_seconds)
            if outcome is not None:
                self._finish(claim, outcome)
            elif lease.stopped.is_set():
                self._stop(lease)
            else:
                raise RetryableError(f"no result within {self._settings.step_deadline_seconds:.0f} s")

    def retry(self, claim: Claim, error: BaseException) -> None:
        """Give a step back after an error, or fail it when it has had enough of them."""
        if is_outage(error):
            self._write(lambda session: step_updates.release_step(session, claim, outcome=AttemptOutcome.RELEASED))
        elif claim.errors + 1 >= self._settings.max_errors:
            self.fail(claim, error)
        else:
            self._write(
                lambda session: step_updates.release_step(
                    session,
                    claim,
                    outcome=AttemptOutcome.ERROR,
                    delay_seconds=min(2**claim.errors, MAX_BACKOFF_SECONDS),
                    error=describe_failure(error),
                )
            )

    def fail(self, claim: Claim, error: BaseException) -> None:
        """End a step for good; its siblings go on and its job says what is missing."""
        failure = describe_failure(error)
        log.warning("step_failed", kind=claim.kind, **failure)
        self._publish(self._write(lambda session: self._fail(session, claim, failure)))

    def _stop(self, lease: Lease) -> None:
        claim = lease.claim
        if lease.reason is StopReason.LOST:
            log.warning("lease_was_lost", kind=claim.kind)
            return
        is_cancelled = lease.reason is StopReason.CANCELLED
        self._write(lambda session: self._give_back(session, claim, is_cancelled=is_cancelled))

    def _give_back(self, session: Session, claim: Claim, *, is_cancelled: bool) -> None:
        step_updates.lock_job(session, claim.job_id)
        outcome = AttemptOutcome.CANCELLED if is_cancelled else AttemptOutcome.RELEASED
        step_updates.release_step(session, claim, outcome=outcome)
        finish_cancel(session, claim.job_id)

    def _finish(self, claim: Claim, outcome: StepOutcome) -> None:
        if claim.kind in SIBLING_KINDS and self._run(
            lambda connection: results.end_among_siblings(connection, claim, outcome.result, worker=self.worker_id)
        ):
            _log_done(claim, outcome)
        else:
            self._publish(self._write(lambda session: self._complete(session, claim, outcome)))

    def _complete(self, session: Session, claim: Claim, outcome: StepOutcome) -> list[StepMessage]:
        job = results.end_step(session, claim, outcome.result, worker=self.worker_id)
        if job is None:
            if step_updates.was_completed(session, claim):
                # The reply to the COMMIT was lost, and with it the messages that were to be sent.
                return outbox.find_unclaimed(session, claim.job_id)
            log.warning("result_came_too_late", kind=claim.kind)
            return []
        _log_done(claim, outcome)
        return self._advance(session, job, claim, outcome)

    def _fail(self, session: Session, claim: Claim, failure: Json) -> list[StepMessage]:
        job = step_updates.lock_job(session, claim.job_id)
        if not step_updates.fail_step(session, claim, failure, worker=self.worker_id):
            return []
        step_updates.record_attempt(session, claim.step_id, claim.attempt, AttemptOutcome.ERROR, error=failure)
        if claim.kind == StepKind.PLAN:
            step_updates.end_job(job, JobState.FAILED, reason=failure["message"])
            return []
        if claim.kind == StepKind.EVALUATE:
            fail_check(session, job, failure["message"], round_number=claim.round)
            return []
        return self._advance(session, job, claim, None)

    def _advance(self, session: Session, job: Job, claim: Claim, outcome: StepOutcome | None) -> list[StepMessage]:
        if job.cancel_requested_at is not None:
            finish_cancel(session, job.id)
            return []
        if outcome is not None and outcome.metrics is not None:
            return conclude_check(session, job, outcome.metrics, round_number=claim.round)
        if outcome is not None and outcome.options is not None:
            job.options = outcome.options.model_dump(mode="json")
        plan = None if outcome is None else outcome.plan
        step_messages = advance_job(session, job, plan, round_number=claim.round)
        if not claim.round and job.state not in OPEN_STATES:
            log.info("job_ended", state=job.state)
        return step_messages

    def _write(self, write: Callable[[Session], Result]) -> Result:
        return write_rows(self._transactions, write, must_end=self._leases.must_end)

    def _run(self, run: Callable[[Connection], Result]) -> Result:
        return run_statements(self._statements, run, must_end=self._leases.must_end)

    def _publish(self, step_messages: Sequence[StepMessage]) -> None:
        sent = self._publisher.publish(step_messages)
        if sent < len(step_messages):
            # The rescue sends them as soon as the broker is back.
            unsent = [step_message.step_id for step_message in step_messages[sent:]]
            self._write(lambda session: outbox.mark_undispatched(session, unsent))


def _log_done(claim: Claim, outcome: StepOutcome) -> None:
    log.info("step_done", kind=claim.kind, **{name: getattr(outcome.result, name) for name in LOGGED})
