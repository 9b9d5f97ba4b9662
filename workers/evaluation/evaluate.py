"""Evaluation of one summary: the entry point from texts to metrics with evidence."""

from __future__ import annotations

import threading
from statistics import fmean

from workers.evaluation.examination import Examiner
from workers.evaluation.findings import Findings, describe_sentences
from workers.evaluation.lexical import read_words
from workers.evaluation.limits import StopConditions
from workers.evaluation.metric import SCORES, Metric, reject
from workers.evaluation.qags import summarize_questions
from workers.evaluation.verification import ClaimJudge
from workers.generation import TextGenerator

# Reason for the absence of a signal's value, by signal.
_ABSENCE = {
    "bigrams": "no sentence of the summary has two words",
    "facts": "the summary states no name, number or date",
    "likelihood": "no generator was asked",
    "qags": "no generator was asked",
}

# Metric names of the signals that are also metrics.
_METRICS = {"qags": "qags", "likelihood": "likelihood", "facts": "facts", "bigrams": "overlap"}


def evaluate_summary(
    generator: TextGenerator | None,
    *,
    source: str,
    summary: str,
    judge: ClaimJudge | None = None,
    deadline: float | None = None,
    cancelled: threading.Event | None = None,
) -> dict[str, Metric]:
    """Return every metric of a summary: ``consistency``, ``least_support`` and the signals.

    Args:
        generator: engine for questions and likelihoods; None measures only the signals without a generator.
        source: the whole document.
        summary: its summary.
        judge: verifier of its sentences; None measures without one.
        deadline: ``time.monotonic`` value of the end; None for no limit.
        cancelled: event of the cancellation; None if it cannot be cancelled.

    Raises:
        EvaluationInterruptedError: cancelled, or past the deadline.
    """
    findings = Examiner(generator, StopConditions(deadline, cancelled), judge).examine(source, summary)
    problem = _find_problem(source, findings)
    if problem is not None:
        return {name: reject(problem) for name in (*SCORES, *_METRICS.values())}
    return _score(findings) | {
        name: _show_signal(signal, findings, has_generator=generator is not None) for signal, name in _METRICS.items()
    }


def _score(findings: Findings) -> dict[str, Metric]:
    evidence = {"signals": findings.signals, "sentences": describe_sentences(findings)}
    return {
        "consistency": Metric(fmean(reading.consistency for reading in findings.readings), evidence=evidence),
        "least_support": Metric(min(reading.support for reading in findings.readings)),
    }


def _show_signal(signal: str, findings: Findings, *, has_generator: bool) -> Metric:
    if signal == "qags" and has_generator:
        return summarize_questions(findings.answered, asked=findings.asked)
    value = findings.signals[signal]
    if value is None and signal == "likelihood" and has_generator:
        return reject("no sentence of the summary fits the context of the weights behind its source")
    return reject(_ABSENCE[signal]) if value is None else Metric(value)


def _find_problem(source: str, findings: Findings) -> str | None:
    """Return the reason that consistency is not measurable at all; None if it is."""
    if not read_words(source):
        return "the source has no words"
    if not findings.readings:
        return "the summary has no words"
    if not findings.asked:
        return "the summary states no name, number, date or phrase that could be asked for"
    return None
