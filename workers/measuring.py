"""Runs a check: reads a job's summary and its document, and measures whether the one is true to the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import Connection, Engine, select

from models.claims import Claim
from models.document import Document
from models.job import Job
from models.results import StepResult
from workers.evaluation.errors import EvaluationInterruptedError
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.metric import Metric
from workers.evaluation.options import EvaluationOptions
from workers.generation import TextGenerator
from workers.persistence import run_statements
from workers.progress import Outcome, read_key, read_output

OPTIONS = EvaluationOptions()


def measure_summary(
    database: Engine, generator: TextGenerator, claim: Claim, stopped: threading.Event, seconds: float
) -> Outcome | None:
    """Measure the summary that a check is about.

    Args:
        database: where the summary and its document are; commits every statement by itself.
        generator: asks, answers and scores.
        claim: of the check; its input is the step that wrote the summary, if that is not the job's own.
        stopped: set when it must stop.
        seconds: that it may take once it has read both.

    Returns:
        The metrics; None if it was stopped or its deadline passed.
    """
    source, summary = run_statements(database, lambda connection: _read_texts(connection, claim), must_end=stopped)
    started = time.monotonic()
    try:
        measured = evaluate_summary(
            generator, source=source, summary=summary, options=OPTIONS, deadline=started + seconds, cancelled=stopped
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


def _read_texts(connection: Connection, claim: Claim) -> tuple[str, str]:
    """Return the document and the summary that the check is about."""
    texts = select(Document.text, Job.summary).join(Job, Job.document_sha256 == Document.sha256)
    source, summary = connection.execute(texts.where(Job.id == claim.job_id)).one()
    if claim.inputs:
        summary = read_output(connection, claim.job_id, read_key(claim.inputs[0]), round_number=claim.round)
    return source, summary or ""
