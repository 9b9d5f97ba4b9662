"""Run of a plan step: splits the document and chooses the strategy."""

from __future__ import annotations

import structlog

from models.claims import Claim
from models.options import JobOptions
from models.results import StepResult
from workers.execution.check_rate import RateCache
from workers.execution.job_options import choose_style, make_prompts, plan_options, read_options
from workers.execution.progression import StepOutcome
from workers.execution.store import StepStore
from workers.generation import TextGenerator
from workers.summarization.planning import SourceDocument, plan_job
from workers.weights.trained_prompt import TrainedPrompt

log = structlog.get_logger()


class PlanRunner:
    """Runner of plan steps with one set of weights.

    Args:
        store: only read.
        generator: the engine, which counts the tokens.
        trained_prompt: prompt that the weights were trained with.
    """

    def __init__(self, store: StepStore, generator: TextGenerator, trained_prompt: TrainedPrompt) -> None:
        self._store = store
        self._generator = generator
        self._trained_prompt = trained_prompt
        self._rates = RateCache(lambda weights: store.find_check_rate(weights, generator.fingerprint))

    def run(self, claim: Claim) -> StepOutcome:
        """Plan the job of a claimed step."""
        text, document_format = self._store.read_document(claim)
        options = choose_style(read_options(claim.options), self._trained_prompt)
        plan = plan_job(
            SourceDocument(text, document_format),  # type: ignore[arg-type]  # a constraint of the table
            plan_options(options),
            prompts=make_prompts(options, self._generator.prompt_format),
            counter=self._generator,
            context_tokens=self._generator.context_tokens,
            max_new_tokens=options.generation.max_new_tokens,
            check_rate=self._find_check_rate(options),
        )
        log.info("planned", strategy=plan.strategy, chunks=len(plan.split.chunks))
        return StepOutcome(StepResult(output=f"{plan.strategy}: {plan.reason}"), plan, options=options)

    def _find_check_rate(self, options: JobOptions) -> float | None:
        """Return the measured check rate of the weights, or that of their metadata; None without checks."""
        if options.strategy != "auto" or options.grounding == "off" or options.output_schema is not None:
            return None
        measured = self._rates.find(options.weights)
        return self._trained_prompt.check_rate if measured is None else measured
