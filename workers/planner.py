"""Plans without running: what a job would do, as ``gistmill plan`` prints it."""

from __future__ import annotations

from dataclasses import asdict

from models.base import Json
from models.options import JobOptions
from models.settings import DEFAULT_NAME, Settings
from workers.database import open_transaction
from workers.engine.counting import PromptCounter
from workers.engine.errors import EngineError
from workers.errors import WorkerError
from workers.naming import resolve_name
from workers.rates import find_rates
from workers.serving import find_adapter, find_manner, find_weights
from workers.steps import choose_style, make_prompts, plan_options
from workers.summarization.errors import SummarizationError
from workers.summarization.planning import Document, plan_job
from workers.summarization.structure import DocumentFormat


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
            options = choose_style(options, find_manner(settings))
            self._counter = PromptCounter(
                find_weights(settings), revision=settings.revision, adapter=find_adapter(settings)
            )
            self._prompts = make_prompts(options, self._counter.prompt_format)
        except (EngineError, SummarizationError) as error:
            raise PlanningError(str(error)) from error
        self._options = options

    def plan(self, text: str, document_format: DocumentFormat) -> Json:
        """Return a document's plan: strategy and why, chunks, and at most its calls, tokens, depth and seconds.

        Raises:
            PlanningError: nothing fits, or the options contradict each other.
        """
        try:
            plan = plan_job(
                Document(text, document_format),
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
