"""Celery tasks, one per step kind for readable names in Flower; every error ends as a retry or failure of its step."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from celery import Celery
from structlog.contextvars import bound_contextvars

from models.queues import task_name
from models.step import StepKind
from workers.errors import DeletedJobError, PermanentError, RetryableError, StepError
from workers.execution.progression import describe_failure

if TYPE_CHECKING:
    from models.claims import Claim
    from workers.execution.executor import StepExecutor

log = structlog.get_logger()


def register_tasks(app: Celery) -> None:
    """Register a task ``gistmill.<kind>`` for every step kind; the boot step sets ``app.executor`` before they run."""
    for kind in StepKind:
        app.task(_handle_message, name=task_name(kind), bind=True, throws=(StepError,))


def _handle_message(task: object, step_id: str) -> None:
    executor: StepExecutor = task.app.executor  # type: ignore[attr-defined]
    run_step(executor, UUID(step_id))


def run_step(executor: StepExecutor, step_id: UUID) -> None:
    """Claim a step and run it; an error is stored with the step, then raised again, so that Flower shows it."""
    claim = executor.claim(step_id)
    if claim is None:
        log.debug("nothing_to_claim", step=str(step_id))
        return
    # Added to every log line of the run.
    ids = {"batch": claim.batch_id, "job": claim.job_id, "step": step_id, "worker": executor.worker_id}
    with bound_contextvars(**{name: str(value) for name, value in ids.items()}):
        _run_claimed(executor, claim)


def _run_claimed(executor: StepExecutor, claim: Claim) -> None:
    try:
        executor.run(claim)
    except DeletedJobError:
        log.info("job_was_deleted", kind=claim.kind)
    except PermanentError as error:
        executor.fail(claim, error)
        raise
    except Exception as error:
        message = describe_failure(error)["message"]
        log.warning("step_error", kind=claim.kind, error=message, exc_info=True)
        executor.retry(claim, error)
        raise RetryableError(message) from error
