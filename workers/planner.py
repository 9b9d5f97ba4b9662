"""Dry-run plans for ``gistmill plan``: the strategy, chunks and estimated cost of a job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.base import Json
from models.errors import SettingsError, UnreachableError
from models.job import Job
from models.options import JobOptions
from models.session import open_transaction
from models.settings import DEFAULT_NAME, Settings
from models.step import Step, StepState, of_job
from workers.engine.prompt_counter import PromptCounter
from workers.errors import WorkerError
from workers.execution.check_rate import measure_check_rate
from workers.execution.job_options import choose_style, make_prompts, needs_no_call, plan_options
from workers.serving import find_adapter, find_trained_prompt, find_weights
from workers.summarization.errors import SummarizationError
from workers.summarization.estimate import Totals
from workers.summarization.planning import SourceDocument, plan_job
from workers.summarization.structure import DocumentFormat
from workers.weights.errors import WeightsError
from workers.weights.registration import resolve_name


class PlanningError(WorkerError):
    """Document or options without a valid plan; the message names the setting to change."""

    exit_code = 2


class Planner:
    """Planner of documents for the weights of a job.

    Raises:
        PlanningError: the weights are missing, or have no prompt for these options.
        UnknownIdError: the job names weights that are not registered.
    """

    def __init__(self, settings: Settings, options: JobOptions) -> None:
        self._slots = settings.slots
        self.rates = find_rates(settings, options.weights)
        check_rate = find_check_rate(settings, options)
        if options.weights != DEFAULT_NAME:
            with open_transaction(settings.require_database_url()) as session:
                settings = resolve_name(settings.model_copy(update={"weights_name": options.weights}), session)
        try:
            trained_prompt = find_trained_prompt(settings)
            options = choose_style(options, trained_prompt)
            is_elsewhere = bool(settings.engine_urls)
            self._counter = PromptCounter(
                find_weights(settings),
                revision=settings.revision,
                adapter=find_adapter(settings) if settings.adapter or not is_elsewhere else None,
                context_tokens=settings.context_tokens,
                has_tensors=not is_elsewhere,
            )
            self._prompts = make_prompts(options, self._counter.prompt_format)
        except (WeightsError, SummarizationError) as error:
            raise PlanningError(str(error)) from error
        self._options = options
        self._check_rate = trained_prompt.check_rate if check_rate is None else check_rate

    @property
    def _can_extract(self) -> bool:
        return self._options.grounding != "off" and self._options.output_schema is None

    def plan(self, text: str, document_format: DocumentFormat) -> Json:
        """Return a document's plan: strategy, chunks, and upper bounds of calls, tokens, depth and seconds.

        Raises:
            PlanningError: no plan fits, or the options contradict each other.
        """
        try:
            plan = plan_job(
                SourceDocument(text, document_format),
                plan_options(self._options),
                prompts=self._prompts,
                counter=self._counter,
                context_tokens=self._counter.context_tokens,
                max_new_tokens=self._options.generation.max_new_tokens,
                check_rate=self._check_rate if self._can_extract else None,
            )
        except SummarizationError as error:
            raise PlanningError(str(error)) from error
        totals, reason = plan.totals, plan.reason
        first = plan.split.chunks[0]
        is_stuffed_prose = plan.strategy == "stuff" and self._options.output_schema is None
        if is_stuffed_prose and needs_no_call(self._options, first.read_text(text), tokens=first.tokens):
            totals, reason = Totals(0, 0, 0, 0), f"{reason}; it is short enough to be its own summary, without a call"
        return {
            "strategy": plan.strategy,
            "reason": reason,
            "splitter": plan.split.splitter,
            "split_reason": plan.split.reason,
            "chunks": len(plan.split.chunks),
            "document_tokens": sum(chunk.tokens for chunk in plan.split.chunks),
            **asdict(totals),
            "seconds": totals.estimate_seconds(
                prompt_rate=self.rates.prompt,
                completion_rate=self.rates.completion,
                slots=1 if self.rates.is_of_all else self._slots,
            ),
            "rates": asdict(self.rates),
        }


# Tokens per second of the packaged weights on two cores (docs/performance.md): prefill, and decode of one request.
USUAL_PROMPT_RATE = 1000.0
USUAL_COMPLETION_RATE = 10.0
# Latest jobs that are averaged: enough for a stable mean, few enough to follow a change of machine.
MEASURED_JOBS = 20


@dataclass(frozen=True, slots=True)
class Rates:
    """Speed of a worker.

    Args:
        prompt: prefill speed, in prompt tokens per second.
        completion: decode speed, in tokens per second.
        origin: human-readable origin of the figures.
        is_of_all: whether the decode speed is that of all requests together, and not of each.
    """

    prompt: float
    completion: float
    origin: str
    is_of_all: bool = False


USUAL_RATES = Rates(USUAL_PROMPT_RATE, USUAL_COMPLETION_RATE, "at the speed of the packaged weights on two cores")


def find_rates(settings: Settings, weights: str) -> Rates:
    """Return the measured rates of the named weights; the usual rates without measurements or database."""
    try:
        with open_transaction(settings.require_database_url()) as session:
            return measure_rates(session, weights) or USUAL_RATES
    except (SettingsError, UnreachableError):
        return USUAL_RATES


def find_check_rate(settings: Settings, options: JobOptions) -> float | None:
    """Return the check rate of a job's weights by the results database; None without one or too few sentences."""
    try:
        with open_transaction(settings.require_database_url()) as session:
            return measure_check_rate(session.connection(), options.weights, fingerprint=None)
    except (SettingsError, UnreachableError):
        return None


def measure_rates(session: Session, weights: str) -> Rates | None:
    """Return the rates measured on the latest steps of these weights; None without such steps.

    Steps record prefill and decode together, so both usual rates are scaled by the same factor. Steps that ran at the
    same time shared the machine, so the rates are of the time in which any of them ran.
    """
    started = select(Job.id).where(Job.weights == weights, Job.started_at.is_not(None))
    latest = started.order_by(Job.started_at.desc()).limit(MEASURED_JOBS).subquery()
    measured = (
        select(Step.prompt_tokens, Step.completion_tokens, Step.worker, Step.finished_at, Step.seconds)
        .join(latest, of_job(latest.c.id))
        .where(
            Step.state == StepState.DONE,
            # Plans, checks and quotations generate nothing.
            Step.completion_tokens.is_not(None),
            Step.cached_from.is_(None),
        )
        .order_by(Step.worker, Step.finished_at)
    )
    calls = session.execute(measured).all()
    prefilled = sum(call.prompt_tokens or 0 for call in calls)
    decoded = sum(call.completion_tokens or 0 for call in calls)
    seconds = sum(
        measure_busy([(call.finished_at.timestamp() - call.seconds, call.finished_at.timestamp()) for call in own])
        for _, own in groupby(calls, key=attrgetter("worker"))
    )
    if not (prefilled and decoded and seconds):
        return None
    speed = (prefilled / USUAL_PROMPT_RATE + decoded / USUAL_COMPLETION_RATE) / seconds
    origin = f"at the speed of the latest {len(calls):,} calls of weights {weights} together"
    return Rates(USUAL_PROMPT_RATE * speed, USUAL_COMPLETION_RATE * speed, origin, is_of_all=True)


def measure_busy(spans: Sequence[tuple[float, float]]) -> float:
    """Return the seconds within any of some spans of time, which may overlap."""
    busy, last = 0.0, -math.inf
    for start, end in sorted(spans):
        busy += max(0.0, end - max(start, last))
        last = max(last, end)
    return busy
