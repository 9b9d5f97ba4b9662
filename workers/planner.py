"""Plans without running: what a job would do, as ``gistmill plan`` prints it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.base import Json
from models.errors import SettingsError, UnreachableError
from models.job import Job
from models.options import JobOptions
from models.settings import DEFAULT_NAME, Settings
from models.step import Step, StepKind, StepState
from workers.database import open_transaction
from workers.engine.tokenizer import PromptCounter
from workers.errors import WorkerError
from workers.execution.runner import choose_style, make_prompts, plan_options
from workers.serving import find_adapter, find_trained_prompt, find_weights
from workers.summarization.errors import SummarizationError
from workers.summarization.planning import SourceDocument, plan_job
from workers.summarization.structure import DocumentFormat
from workers.weights.errors import WeightsError
from workers.weights.resolve import resolve_name


class PlanningError(WorkerError):
    """A document cannot be summarized this way; the message says what to change."""

    exit_code = 2


class Planner:
    """Plans documents for the weights of the settings.

    Raises:
        PlanningError: the weights are not there, or have no prompt for these options.
        UnknownIdError: the job names weights that are not registered.
    """

    def __init__(self, settings: Settings, options: JobOptions) -> None:
        self._slots = settings.slots
        self.rates = find_rates(settings, options.weights)
        if options.weights != DEFAULT_NAME:
            with open_transaction(settings) as session:
                settings = resolve_name(settings.model_copy(update={"weights_name": options.weights}), session)
        try:
            options = choose_style(options, find_trained_prompt(settings))
            self._counter = PromptCounter(
                find_weights(settings), revision=settings.revision, adapter=find_adapter(settings)
            )
            self._prompts = make_prompts(options, self._counter.prompt_format)
        except (WeightsError, SummarizationError) as error:
            raise PlanningError(str(error)) from error
        self._options = options

    def plan(self, text: str, document_format: DocumentFormat) -> Json:
        """Return a document's plan: strategy and why, chunks, and at most its calls, tokens, depth and seconds.

        Raises:
            PlanningError: nothing fits, or the options contradict each other.
        """
        try:
            plan = plan_job(
                SourceDocument(text, document_format),
                plan_options(self._options),
                prompts=self._prompts,
                counter=self._counter,
                context_tokens=self._counter.context_tokens,
                max_new_tokens=self._options.generation.max_new_tokens,
            )
        except SummarizationError as error:
            raise PlanningError(str(error)) from error
        return {
            "strategy": plan.strategy,
            "reason": plan.reason,
            "splitter": plan.split.splitter,
            "split_reason": plan.split.reason,
            "chunks": len(plan.split.chunks),
            "document_tokens": sum(chunk.tokens for chunk in plan.split.chunks),
            **asdict(plan.totals),
            "seconds": plan.totals.estimate_seconds(
                prompt_rate=self.rates.prompt, completion_rate=self.rates.completion, slots=self._slots
            ),
            "rates": asdict(self.rates),
        }


# Tokens per second of the packaged weights on two cores (docs/performance.md): read, and written by one request.
USUAL_PROMPT_RATE = 1000.0
USUAL_COMPLETION_RATE = 10.0
# Jobs that are measured, the latest first: enough for a mean, few enough to follow a change of machine.
MEASURED_JOBS = 20


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a worker is.

    Args:
        prompt: prompt tokens read per second.
        completion: tokens per second that each request writes.
        origin: where the numbers come from, in words for people.
    """

    prompt: float
    completion: float
    origin: str


USUAL_RATES = Rates(USUAL_PROMPT_RATE, USUAL_COMPLETION_RATE, "as the packaged weights on two cores")


def find_rates(settings: Settings, weights: str) -> Rates:
    """Return the rates of the weights of a name; those that are usual where no database tells them."""
    try:
        with open_transaction(settings) as session:
            return measure_rates(session, weights) or USUAL_RATES
    except (SettingsError, UnreachableError):
        return USUAL_RATES


def measure_rates(session: Session, weights: str) -> Rates | None:
    """Return what the latest steps of these weights say, None if there are none.

    Reading and writing are timed together: their usual rates are made as much faster or slower as the steps were.
    """
    started = select(Job.id).where(Job.weights == weights, Job.started_at.is_not(None))
    latest = started.order_by(Job.started_at.desc()).limit(MEASURED_JOBS)
    measured = select(
        func.count(), func.sum(Step.prompt_tokens), func.sum(Step.completion_tokens), func.sum(Step.seconds)
    ).where(
        Step.job_id.in_(latest),
        Step.state == StepState.DONE,
        Step.kind.not_in((StepKind.PLAN, StepKind.EVALUATE)),
        Step.cached_from.is_(None),
    )
    calls, read, written, seconds = session.execute(measured).one()
    if not (read and written and seconds):
        return None
    speed = (read / USUAL_PROMPT_RATE + written / USUAL_COMPLETION_RATE) / seconds
    origin = f"as the latest {calls:,} calls of weights {weights}"
    return Rates(USUAL_PROMPT_RATE * speed, USUAL_COMPLETION_RATE * speed, origin)
