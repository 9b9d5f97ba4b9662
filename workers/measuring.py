"""Runs a check: reads a job's summary and its document, and measures whether the one is true to the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.claims import Claim, StepResult
from models.document import Document
from models.job import Job
from workers.evaluation.errors import EvaluationInterruptedError
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.metric import Metric
from workers.evaluation.options import EvaluationOptions
from workers.generation import TextGenerator
from workers.progress import Outcome, read_key, read_output

OPTIONS = EvaluationOptions()


def measure_summary(
    database: Engine, generator: TextGenerator, claim: Claim, stopped: threading.Event, deadline: float
) -> Outcome | None:
    """Measure the summary that a check is about.

    Args:
        database: where the summary and its document are.
        generator: asks, answers and scores.
        claim: of the check; its input is the step that wrote the summary, if that is not the job's own.
        stopped: set when it must stop.
        deadline: ``time.monotonic`` value at which it must stop.

    Returns:
        The metrics; None if it was stopped or its deadline passed.
    """
    started = time.monotonic()
    with Session(database) as session:
        job = session.get_one(Job, claim.job_id)
        source = session.get_one(Document, job.document_sha256).text
        summary = _read_summary(session, job, claim)
    try:
        measured = evaluate_summary(
            generator, source=source, summary=summary, options=OPTIONS, deadline=deadline, cancelled=stopped
        )
    except EvaluationInterruptedError:
        return None
    result = StepResult(
        output=describe_metrics(measured.metrics),
        weights_fingerprint=generator.fingerprint,
        params=asdict(OPTIONS),
        seconds=time.monotonic() - started,
    )
    return Outcome(result, metrics=measured.metrics)


def describe_metrics(metrics: Mapping[str, Metric]) -> str:
    """Return what was measured, a metric a line."""
    return "\n".join(
        f"{name}: not measurable, {metric.reason}" if metric.value is None else f"{name}: {metric.value:.3f}"
        for name, metric in metrics.items()
    )


def _read_summary(session: Session, job: Job, claim: Claim) -> str:
    if not claim.inputs:
        return job.summary or ""
    return read_output(session, job, read_key(claim.inputs[0]), round_number=claim.round)
