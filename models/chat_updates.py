"""End of a chat job, in the transaction that ends its step."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.job import Job, JobState
from models.step import Step, StepKind, of_job
from models.step_updates import end_job

# Finish reason of an answer that reached its maximum of tokens.
CUT = "length"


def end_chat(session: Session, job: Job) -> None:
    """End a chat job whose step has ended; the caller holds the lock on the job's row."""
    columns = (Step.output, Step.finish_reason, Step.error, Step.started_at)
    output, finish_reason, error, started_at = session.execute(
        select(*columns).where(of_job(job.id), Step.kind == StepKind.CHAT)
    ).one()
    job.started_at = started_at
    # The step has stored valid JSON.
    data = json.loads(output) if output is not None and job.options.get("output_schema") is not None else None
    if output is None:
        end_job(job, JobState.FAILED, reason=(error or {}).get("message", "the step has no answer"))
    elif not output.strip():
        end_job(job, JobState.PARTIAL, summary=output, reason="the answer is empty")
    elif finish_reason == CUT:
        reason = "the answer was cut at its maximum of tokens"
        end_job(job, JobState.PARTIAL, summary=output, reason=reason, data=data)
    else:
        end_job(job, JobState.SUCCEEDED, summary=output, data=data)
