"""Runs a whole job in memory, with any function in the place of the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from workers.generation import FinishReason, GenerationParams, PromptFormat, TokenCounter
from workers.summarization.guards import Verdict, check_output, choose_best
from workers.summarization.planning import Plan, PlanOptions, SourceDocument, plan_job
from workers.summarization.prompts import PromptSet
from workers.summarization.rendering import RenderedStep, StepRenderer
from workers.summarization.retries import retry_params
from workers.summarization.steps import Conclusion, FinishedStep, JobProgress, NextSteps, StepKey, StepSpec
from workers.summarization.strategies import next_steps

Answer = tuple[str, FinishReason]
Engine = Callable[[RenderedStep, GenerationParams], Answer]


@dataclass
class Run:
    """A running job: its state, as the execution of steps keeps it in the database."""

    plan: Plan
    document: SourceDocument
    prompts: PromptSet
    counter: TokenCounter
    outputs: dict[StepKey, str] = field(default_factory=dict)
    verdicts: dict[StepKey, Verdict] = field(default_factory=dict)
    rendered: dict[StepKey, RenderedStep] = field(default_factory=dict)

    def finish(self, engine: Engine) -> Conclusion:
        """Run every wave to its end, and return the summary."""
        state = JobProgress(self.plan.strategy, self.plan.limits, len(self.plan.split.chunks))
        while isinstance(wave := next_steps(state), NextSteps):
            assert wave.steps
            finished = tuple(self.run_step(spec, engine) for spec in wave.steps)
            state = replace(state, steps=(*state.steps, *finished))
        return wave

    def run_step(self, spec: StepSpec, engine: Engine) -> FinishedStep:
        """Generate, check and try again, as the execution of steps does, without a database."""
        assert spec.key not in self.rendered
        limits = self.plan.limits
        chunks = {chunk.index: chunk.read_text(self.document.text) for chunk in self.plan.split.chunks}
        rendered = StepRenderer(self.prompts, limits, self.counter).render_step(
            spec, chunk_texts=chunks, outputs=self.outputs
        )
        assert rendered.tokens + limits.max_new_tokens <= limits.context_tokens
        self.rendered[spec.key] = rendered
        verdict = self._ask(rendered, engine)
        self.verdicts[spec.key] = verdict
        if not verdict.is_usable:
            return FinishedStep(spec, is_done=False, notes=verdict.notes)
        self.outputs[spec.key] = verdict.text
        tokens = self.counter.count_tokens(verdict.text)
        return FinishedStep(spec, is_done=True, tokens=tokens, notes=(*rendered.notes, *verdict.notes))

    def _ask(self, rendered: RenderedStep, engine: Engine) -> Verdict:
        params = GenerationParams(do_sample=False, max_new_tokens=self.plan.limits.max_new_tokens)
        tries: list[Verdict] = []
        wanted: GenerationParams | None = params
        while wanted is not None:
            text, reason = engine(rendered, wanted)
            tries.append(check_output(text, finish_reason=reason, source=rendered.source, prompt=rendered.prompt))
            if tries[-1].is_clean:
                return tries[-1]
            wanted = retry_params(params, tries[-1].marks, attempt=len(tries))
        return choose_best(tries)


def start_run(
    document: SourceDocument,
    options: PlanOptions,
    *,
    counter: TokenCounter,
    context: int,
    answer: int,
    prompts: PromptSet | None = None,
) -> Run:
    """Plan a job that ``finish`` can run."""
    prompts = prompts or PromptSet("technical", PromptFormat.COMPLETION)
    plan = plan_job(document, options, prompts=prompts, counter=counter, context_tokens=context, max_new_tokens=answer)
    return Run(plan, document, prompts, counter)
