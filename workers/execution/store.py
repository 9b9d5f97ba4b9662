"""Storage of running steps: their claims, inputs and ends, with retries through outages of Postgres.

A restart of Postgres must not discard the seconds that a step has cost. A COMMIT whose reply was lost is also retried;
the lease token distinguishes the retry from another worker's run.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from models import claims, outbox, results, step_updates
from models.base import Json
from models.claims import Claim
from models.job import OPEN_STATES, Job, JobState
from models.publisher import OutboxPublisher, Publisher
from models.queues import StepMessage
from models.recovery import finish_cancel
from models.results import StepResult
from models.session import DISK_FULL_STATE, IDLE_TIMEOUT_STATE
from models.source_spans import read_source_spans
from models.step import AttemptOutcome, StepKind
from models.tables import Document
from workers.errors import DeletedJobError
from workers.execution.check_rate import measure_check_rate
from workers.execution.checks import conclude_check, fail_check, read_texts
from workers.execution.group_commit import GroupCommit
from workers.execution.progression import StepOutcome, advance_job, read_outputs
from workers.summarization.steps import StepKey

log = structlog.get_logger()

# Seconds before each retry; the last one repeats.
PAUSES = (0.2, 0.5, 1, 2, 4)
# SQLSTATE classes of transient errors: connections, serialization failures, exhausted disks and clients, shutdowns.
# An unreachable server or a broken connection has no SQLSTATE.
TRANSIENT_STATES = ("08", IDLE_TIMEOUT_STATE, "40", "53", "57P")
# Kinds of which a wave may have several steps: those of one worker that end together are stored together.
SIBLING_KINDS = (StepKind.MAP, StepKind.COLLAPSE)
# Fields of a result that are logged, never a text.
LOGGED = ("prompt_tokens", "completion_tokens", "seconds", "finish_reason")

P = ParamSpec("P")
T = TypeVar("T")

_DOCUMENT = select(Document.text, Document.format).where(Document.sha256 == bindparam("sha256"))


class StepStore:
    """Storage of one process's steps; thread-safe.

    A write under a lost lease changes nothing. All methods raise ``DBAPIError`` if Postgres is unreachable and
    ``must_end`` is set.

    Args:
        database: results database, in autocommit mode.
        publisher: publishes the messages of the next steps.
        worker_id: id of the registered worker.
        lease_seconds: length of a lease from its claim.
    """

    def __init__(self, database: Engine, publisher: Publisher, *, worker_id: str, lease_seconds: float) -> None:
        self.worker_id = worker_id
        # Set when the process ends, which leaves no time to wait for Postgres.
        self.must_end = threading.Event()
        self._lease_seconds = lease_seconds
        self._statements = database
        self._transactions = database.execution_options(isolation_level="READ COMMITTED")
        self._publisher = OutboxPublisher(self._transactions, publisher, keeps_trying=True, mark=self._mark)
        self._claims = GroupCommit(self._claim_all)
        self._endings = GroupCommit(self._end_all)

    def claim(self, step_id: UUID) -> Claim | None:
        """Claim a step if it is ready; None if another worker has it or it has ended."""
        return self._claims.call(step_id)

    def read_document(self, claim: Claim) -> tuple[str, str]:
        """Return the text and the format of the document of a step's job."""
        return self._run(_read_document, claim.document_sha256)

    def read_outputs(self, claim: Claim, keys: Sequence[StepKey]) -> Mapping[StepKey, str]:
        """Return the outputs of finished steps of the same job and round."""
        return self._run(read_outputs, claim.job_id, keys, round_number=claim.round) if keys else {}

    def read_source(self, claim: Claim) -> list[tuple[int, str]]:
        """Return the parts of the document behind a step, each with its offset in code points."""
        spans = self._run(read_source_spans, claim)
        text, _ = self.read_document(claim)
        return [(start, text[start:end]) for start, end in spans]

    def read_texts(self, claim: Claim) -> tuple[str, str]:
        """Return the texts of a check: the document and the summary."""
        return self._run(read_texts, claim)

    def find_cached(self, identity: str) -> StepResult | None:
        """Return the result of a finished step with this identity, whose output no guard marks."""
        return self._run(results.find_cached, identity)

    def find_check_rate(self, weights: str, fingerprint: str) -> float | None:
        """Return the share of the sentences written by weights that passed their check; None if there are too few."""
        return self._run(measure_check_rate, weights, fingerprint=fingerprint)

    def begin_alone(self, claim: Claim) -> None:
        """Count the run as a crash before it begins; an orderly end resets the count."""
        self._write(step_updates.begin_alone, claim)

    def complete(self, claim: Claim, outcome: StepOutcome) -> list[StepMessage]:
        """Store a step's result, create the next steps and return their messages."""
        if claim.kind in SIBLING_KINDS and self._endings.call((claim, outcome.result)):
            _log_done(claim, outcome)
            return []
        return self._write(self._complete, claim, outcome)

    def fail(self, claim: Claim, error: Json) -> list[StepMessage]:
        """End a step without a result, create the next steps and return their messages."""
        return self._write(self._fail, claim, error)

    def retry(self, claim: Claim, error: Json, *, delay_seconds: float) -> None:
        """Return a step to ready after an error, and count the error."""
        self._write(
            step_updates.release_step, claim, outcome=AttemptOutcome.ERROR, delay_seconds=delay_seconds, error=error
        )

    def release(self, claim: Claim, outcome: AttemptOutcome = AttemptOutcome.RELEASED) -> None:
        """Return a step to ready without counting an error, and end its job if that is being cancelled."""
        self._write(_release, claim, outcome)

    def publish(self, step_messages: Sequence[StepMessage]) -> None:
        """Publish the messages of committed steps; the reclaimer publishes those that fail."""
        self._publisher.publish(step_messages)

    def _claim_all(self, steps: Sequence[UUID], lock_wait: str) -> list[Claim | None]:
        tokens = {uuid.uuid4(): step for step in steps}
        found = self._run(
            claims.claim_steps,
            tokens,
            worker=self.worker_id,
            lease_seconds=self._lease_seconds,
            lock_wait=lock_wait,
        )
        return [found.get(token) for token in tokens]

    def _end_all(self, endings: Sequence[tuple[Claim, StepResult]], lock_wait: str) -> list[bool]:
        ended = self._run(results.end_siblings, endings, worker=self.worker_id, lock_wait=lock_wait)
        return [claim.token in ended for claim, _ in endings]

    def _mark(self, steps: Sequence[UUID]) -> None:
        self._write(outbox.mark_undispatched, steps)

    def _complete(self, session: Session, claim: Claim, outcome: StepOutcome) -> list[StepMessage]:
        job = results.end_step(session, claim, outcome.result, worker=self.worker_id)
        if job is not None:
            _log_done(claim, outcome)
            return _advance(session, job, claim, outcome)
        if step_updates.was_completed(session, claim):
            # The reply to the COMMIT was lost, and with it the messages to publish.
            return outbox.find_unclaimed(session, claim.job_id)
        log.warning("result_came_too_late", kind=claim.kind)
        return []

    def _fail(self, session: Session, claim: Claim, error: Json) -> list[StepMessage]:
        job = step_updates.lock_job(session, claim.job_id)
        if job is None or not step_updates.fail_step(session, claim, error, worker=self.worker_id):
            return []
        step_updates.record_attempt(session, claim.step_id, claim.attempt, AttemptOutcome.ERROR, error=error)
        if claim.kind == StepKind.PLAN:
            step_updates.end_job(job, JobState.FAILED, reason=error["message"])
            return []
        if claim.kind == StepKind.EVALUATE:
            fail_check(session, job, error["message"], round_number=claim.round)
            return []
        return _advance(session, job, claim, None)

    def _run(self, run: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run queries, or a single write, in autocommit mode."""

        def run_once() -> T:
            with self._statements.connect() as connection:
                return run(connection, *args, **kwargs)

        return self._repeat(run_once)

    def _write(self, write: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction."""

        def write_once() -> T:
            with Session(self._transactions) as session, session.begin():
                return write(session, *args, **kwargs)

        return self._repeat(write_once)

    def _repeat(self, run: Callable[[], T]) -> T:
        """Run a function, and retry it while Postgres is unreachable."""
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        while True:
            try:
                return run()
            except DBAPIError as error:
                if self.must_end.is_set() or not is_outage(error):
                    raise
                is_full = getattr(error.orig, "sqlstate", None) == DISK_FULL_STATE
                event, action = (
                    ("postgres_disk_is_full", "free some space there; ") if is_full else ("postgres_is_away", "")
                )
                log.warning(event, error=str(error.orig).strip(), action=f"{action}it is asked again")
            self.must_end.wait(next(pauses))


def is_outage(error: BaseException) -> bool:
    """Return whether an error is a transient one of Postgres, so that a retry may succeed."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError) if state is None else state.startswith(TRANSIENT_STATES)


def _read_document(connection: Connection, sha256: str) -> tuple[str, str]:
    row = connection.execute(_DOCUMENT, {"sha256": sha256}).one_or_none()
    if row is None:
        raise DeletedJobError("the document was deleted")
    text, document_format = row
    return text, document_format


def _release(session: Session, claim: Claim, outcome: AttemptOutcome) -> None:
    step_updates.lock_job(session, claim.job_id)
    step_updates.release_step(session, claim, outcome=outcome)
    finish_cancel(session, claim.job_id)


def _advance(session: Session, job: Job, claim: Claim, outcome: StepOutcome | None) -> list[StepMessage]:
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


def _log_done(claim: Claim, outcome: StepOutcome) -> None:
    log.info("step_done", kind=claim.kind, **{name: getattr(outcome.result, name) for name in LOGGED})
