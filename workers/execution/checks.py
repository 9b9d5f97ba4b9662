"""Check of a summary: its metrics, the gate, and the second try if the summary is below the gate."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.checks import SECOND_ROUND
from models.claims import Claim
from models.job import Job, JobState
from models.options import JobOptions
from models.queues import StepMessage
from models.results import StepResult
from models.sentence_updates import delete_sentences, store_sentences
from models.tables import Document, Evaluation
from workers.errors import DeletedJobError
from workers.evaluation.errors import EvaluationInterruptedError
from workers.evaluation.metric import SCORES, Metric, reject
from workers.evaluation.verification import ClaimJudge
from workers.execution.progression import (
    OUTCOMES,
    StepOutcome,
    add_wave,
    find_step,
    join_reasons,
    read_key,
    read_output,
    read_progress,
)
from workers.generation import TextGenerator
from workers.summarization.steps import Conclusion, NextSteps
from workers.summarization.strategies import next_steps


def measure_summary(
    generator: TextGenerator,
    judge: ClaimJudge | None,
    *,
    source: str,
    summary: str,
    stopped: threading.Event,
    seconds: float,
) -> StepOutcome | None:
    """Measure a summary.

    Args:
        generator: generates questions and answers, and scores.
        judge: verifier of the summary's sentences.
        source: text of the summary's document.
        summary: the stored text.
        stopped: set when it must stop.
        seconds: maximum duration.

    Returns:
        The metrics; None if it was stopped or its deadline passed.
    """
    # The import takes most of a second, and many workers never run a check.
    from workers.evaluation.evaluate import evaluate_summary
    from workers.evaluation.examination import MAX_QUESTIONS, MAX_SOURCE_TOKENS

    started = time.monotonic()
    try:
        metrics = evaluate_summary(
            generator, source=source, summary=summary, judge=judge, deadline=started + seconds, cancelled=stopped
        )
    except EvaluationInterruptedError:
        return None
    result = StepResult(
        output=describe_metrics(metrics),
        weights_fingerprint=generator.fingerprint,
        params={"questions": MAX_QUESTIONS, "source_tokens": MAX_SOURCE_TOKENS},
        seconds=time.monotonic() - started,
    )
    return StepOutcome(result, metrics=metrics)


def describe_metrics(metrics: Mapping[str, Metric]) -> str:
    """Return the metrics as text, one per line."""
    return "\n".join(
        f"{name}: not measurable, {metric.reason}" if metric.value is None else f"{name}: {metric.value:.3f}"
        for name, metric in metrics.items()
    )


def read_texts(connection: Connection, claim: Claim) -> tuple[str, str]:
    """Return the texts of a check: the document and the summary, which is the check's input or else the job's."""
    texts = select(Document.text, Job.summary).join(Job, Job.document_sha256 == Document.sha256)
    row = connection.execute(texts.where(Job.id == claim.job_id)).one_or_none()
    if row is None:
        raise DeletedJobError("the job was deleted")
    source, summary = row
    if claim.inputs:
        summary = read_output(connection, claim.job_id, read_key(claim.inputs[0]), round_number=claim.round)
    return source, summary or ""


# The metric that is compared with a gate.
GATED = "least_support"


def conclude_check(
    session: Session, job: Job, metrics: Mapping[str, Metric], *, round_number: int
) -> list[StepMessage]:
    """Store the metrics of a check, and return the messages of a second try if the summary is below the gate."""
    gate = JobOptions.model_validate(job.options).gate
    if round_number == SECOND_ROUND:
        _judge_second(session, job, metrics, gate=gate or 0.0)
        return []
    store_metrics(session, job, metrics)
    job.review = None if gate is None else find_objection(metrics[GATED], gate)
    is_below = gate is not None and metrics[GATED].value is not None and job.review is not None
    return _begin_second(session, job) if is_below else []


def fail_check(session: Session, job: Job, message: str, *, round_number: int) -> None:
    """Conclude a failed check: the scores are stored as not measurable, with the error as the reason."""
    failed = reject(f"the check failed: {message}")
    conclude_check(session, job, dict.fromkeys(SCORES, failed), round_number=round_number)


def find_objection(metric: Metric, gate: float) -> str | None:
    """Return the reason that a metric fails a gate, for the job's review; None if it passes."""
    if metric.value is None:
        return f"the support of its sentences is not measurable: {metric.reason}"
    if metric.value >= gate:
        return None
    return f"its least supported sentence has a support of {metric.value:.3f}, below the gate of {gate:g}"


def store_metrics(session: Session, job: Job, metrics: Mapping[str, Metric]) -> None:
    """Store the metrics of a job's summary, and replace earlier ones of the same names."""
    if not metrics:
        return
    rows = [
        {
            "job_id": job.id,
            "metric": name,
            "value": metric.value,
            "reason": metric.reason,
            "evidence": remove_nul(metric.evidence),
        }
        for name, metric in metrics.items()
    ]
    new = upsert(Evaluation).values(rows)
    changed = {name: new.excluded[name] for name in ("value", "reason", "evidence")}
    session.execute(
        new.on_conflict_do_update(index_elements=["job_id", "metric"], set_={**changed, "created_at": func.now()})
    )


def _begin_second(session: Session, job: Job) -> list[StepMessage]:
    """Create the first wave of a second try: the same plan with other parameters (``retries.vary_params``)."""
    wave = next_steps(read_progress(session, job, SECOND_ROUND))
    return add_wave(session, job, wave.steps, round_number=SECOND_ROUND) if isinstance(wave, NextSteps) else []


def _judge_second(session: Session, job: Job, metrics: Mapping[str, Metric], *, gate: float) -> None:
    """Keep the better of two summaries; clear the review only if the second passes the gate."""
    found = metrics[GATED]
    second = next_steps(read_progress(session, job, SECOND_ROUND))
    is_better = _rank({name: metric.value for name, metric in metrics.items()}) > _rank(_read_values(session, job))
    if is_better and isinstance(second, Conclusion) and _is_as_complete(second, job):
        _replace_summary(session, job, second)
        _invalidate_metrics(session, job)
        store_metrics(session, job, metrics)
        if found.value is not None and found.value >= gate:
            job.review = None
            return
    job.review = f"{job.review}, and in a second try {_describe(found)}"


def _read_values(session: Session, job: Job) -> dict[str, float | None]:
    rows = session.execute(select(Evaluation.metric, Evaluation.value).where(Evaluation.job_id == job.id))
    return {row.metric: row.value for row in rows}


def _rank(values: Mapping[str, float | None]) -> list[float]:
    """Return the order of two tries: by what the gate compares, and of equal ones by the other score."""
    return [-1.0 if values.get(name) is None else values[name] or 0.0 for name in (GATED, *SCORES)]


def _invalidate_metrics(session: Session, job: Job) -> None:
    """Set the metrics of the replaced summary to NULL."""
    reason = "measured on the first summary, which a second try has replaced; measure it again"
    stale = update(Evaluation).where(Evaluation.job_id == job.id)
    session.execute(stale.values(value=None, reason=reason, evidence={}))


def _is_as_complete(second: Conclusion, job: Job) -> bool:
    return OUTCOMES[second.outcome] == JobState.SUCCEEDED or job.state == JobState.PARTIAL


def _replace_summary(session: Session, job: Job, second: Conclusion) -> None:
    if second.step is None:
        raise AssertionError("a summary that was checked has a step")
    job.state = OUTCOMES[second.outcome]
    job.summary = read_output(session.connection(), job.id, second.step, round_number=SECOND_ROUND)
    job.reason = join_reasons(second)
    job.round = SECOND_ROUND
    delete_sentences(session, job)
    store_sentences(session, job, find_step(job.id, second.step, round_number=SECOND_ROUND))


def _describe(metric: Metric) -> str:
    return f"it is not measurable ({metric.reason})" if metric.value is None else f"{metric.value:.3f}"


def remove_nul(value: Any) -> Any:
    """Return a plain value without NUL in its texts: Postgres cannot store it, and an engine may generate it."""
    match value:
        case str():
            return value.replace("\0", "")
        case Mapping():
            return {name: remove_nul(item) for name, item in value.items()}
        case list() | tuple():
            return [remove_nul(item) for item in value]
    return value
