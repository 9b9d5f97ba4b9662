"""Run of one step: loads its inputs, and plans, generates or measures. Writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import structlog

from models.base import Json
from models.claims import Claim
from models.options import JobOptions
from models.results import StepResult
from models.step import StepKind
from workers.engine.errors import PromptTooLongError, UnsupportedPromptError, UnsupportedRequestError
from workers.errors import PermanentError
from workers.evaluation.verification import ClaimJudge
from workers.execution.attempts import Answer, generate_answer, note_guard
from workers.execution.chat import answer_chat
from workers.execution.check_rate import RateCache
from workers.execution.checks import measure_summary
from workers.execution.combining import complete, describe_coverage, is_last, join_short
from workers.execution.grounding import Grounder, describe_replacements, describe_sentences
from workers.execution.job_options import choose_style, make_prompts, plan_options, read_options
from workers.execution.progression import StepOutcome, read_inputs
from workers.execution.store import StepStore
from workers.generation import GenerationParams, TextGenerator
from workers.summarization.chunks import join_headings
from workers.summarization.errors import SummarizationError
from workers.summarization.extraction import extract
from workers.summarization.grounding import GroundedAnswer
from workers.summarization.lengths import limit_sentences, limit_tokens
from workers.summarization.limits import Limits
from workers.summarization.planning import SourceDocument, plan_job
from workers.summarization.prompts import PromptSet
from workers.summarization.quotation import Quotation, is_own_summary, quote_spans, quote_whole
from workers.summarization.rendering import RenderedStep, StepRenderer, identify_step
from workers.summarization.retries import vary_params
from workers.summarization.steps import StepInput, StepKey, StepSpec
from workers.summarization.structure import find_headings
from workers.weights.trained_prompt import TrainedPrompt

log = structlog.get_logger()


class StepRunner:
    """Runner of steps with one set of weights.

    Args:
        store: only read.
        generator: the engine.
        trained_prompt: prompt that the weights were trained with.
        judge: verifier of sentences; None to check their facts only.
        remark: note on every generated step; None for none.
    """

    def __init__(
        self,
        store: StepStore,
        generator: TextGenerator,
        trained_prompt: TrainedPrompt,
        judge: ClaimJudge | None,
        *,
        remark: str | None = None,
    ) -> None:
        self._remarks = () if remark is None else (note_guard("engine", remark),)
        self._store = store
        self._generator = generator
        self._trained_prompt = trained_prompt
        self._judge = judge
        self._grounder = Grounder(store, judge)
        self._rates = RateCache(lambda weights: store.find_check_rate(weights, generator.fingerprint))

    def run(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        """Run a claimed step.

        Args:
            claim: the step.
            stopped: set when it must stop.
            seconds: maximum duration, after its inputs are loaded.

        Returns:
            The outcome; None if it was stopped or its time ran out.

        Raises:
            PermanentError: the step cannot succeed.
        """
        try:
            if claim.kind == StepKind.PLAN:
                return self._plan(claim)
            if claim.kind == StepKind.EXTRACT:
                return self._extract(claim)
            if claim.kind == StepKind.EVALUATE:
                return self._check(claim, stopped, seconds)
            if claim.kind == StepKind.CHAT:
                return self._answer(claim, stopped, seconds)
            return self._generate(claim, stopped, seconds)
        except (SummarizationError, PromptTooLongError, UnsupportedPromptError, UnsupportedRequestError) as error:
            raise PermanentError(str(error)) from error

    def _check(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        source, summary = self._store.read_texts(claim)
        return measure_summary(
            self._generator, self._judge, source=source, summary=summary, stopped=stopped, seconds=seconds
        )

    def _answer(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        result = answer_chat(
            self._generator,
            self._store,
            claim,
            read_options(claim.options),
            stopped=stopped,
            seconds=seconds,
            remarks=self._remarks,
        )
        return None if result is None else StepOutcome(result)

    def _plan(self, claim: Claim) -> StepOutcome:
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
        if options.strategy != "auto" or options.grounding == "off":
            return None
        measured = self._rates.find(options.weights)
        return self._trained_prompt.check_rate if measured is None else measured

    def _extract(self, claim: Claim) -> StepOutcome:
        text, _ = self._store.read_document(claim)
        return self._quote(quote_spans(text, extract(text, words=read_options(claim.options).words)))

    def _quote_short(self, claim: Claim, options: JobOptions) -> Quotation | None:
        """Return the text of a step that reads nothing but a short chunk; None for any other step."""
        if len(claim.inputs) != 1 or not claim.chunks:
            return None
        [(_, _, text, start)] = claim.chunks
        is_short = is_own_summary(
            text,
            tokens=self._generator.count_tokens(text),
            max_new_tokens=options.generation.max_new_tokens,
            style=options.style,
            language=options.language,
            words=options.words,
        )
        if not is_short:
            return None
        _, document_format = self._store.read_document(claim)
        return quote_whole(text, offset=start, headings=find_headings(text, document_format))  # type: ignore[arg-type]  # a constraint of the table

    def _quote(self, quotation: Quotation) -> StepOutcome:
        """Return an output that no weights made."""
        tokens = self._generator.count_tokens(quotation.text)
        sentences = tuple(sentence.describe() for sentence in quotation.sentences)
        return StepOutcome(StepResult(output=quotation.text, output_tokens=tokens, sentences=sentences))

    def _generate(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        options = read_options(claim.options)
        if quotation := self._quote_short(claim, options):
            return self._quote(quotation)
        prompts = make_prompts(options, self._generator.prompt_format)
        inputs = read_inputs(claim.inputs)
        outputs = self._store.read_outputs(claim, [key for key in inputs if isinstance(key, StepKey)])
        combined = [outputs[key] for key in inputs if isinstance(key, StepKey)]
        if joined := join_short(self._grounder, claim, combined, options):
            return self._join(joined)
        rendered = self._render(claim, prompts, inputs, outputs)
        words = options.words if is_final(claim) else None
        params = GenerationParams(**options.generation.model_dump())
        params = replace(params, max_new_tokens=limit_tokens(params.max_new_tokens, words))
        params = vary_params(params) if claim.round else params
        identity = identify_step(
            rendered.prompt,
            params,
            prompt_fingerprint=prompts.fingerprint,
            weights_fingerprint=self._generator.fingerprint,
            grounding=self._describe_grounding(options),
        )
        may_reuse = params.is_deterministic if options.cache is None else options.cache
        if may_reuse and (cached := self._store.find_cached(identity)) is not None:
            return self._ground_cached(claim, cached, options)
        generate = partial(
            generate_answer,
            self._generator,
            rendered,
            language=options.language,
            words=words,
            stopped=stopped,
            deadline=time.monotonic() + seconds,
        )
        found = self._grounder.generate(claim, generate, params, options)
        if found is None:
            return None
        # A quotation may be longer than the sentence in whose place it stands.
        answer, grounded = found[0], limit_grounded(found[1], words)
        grounded = complete(self._grounder, claim, grounded, combined, options)
        notes = (
            *({"name": "clipped", "words": clip, "try": 0, "stands": True} for clip in rendered.notes),
            *answer.guards,
            *self._remarks,
            *describe_replacements(grounded, options.grounding),
            *describe_coverage(claim, grounded.text, combined),
        )
        return StepOutcome(self._describe(answer, grounded, prompts, identity, notes))

    def _join(self, joined: GroundedAnswer) -> StepOutcome:
        """Return outputs that need no combining."""
        tokens, notes = self._generator.count_tokens(joined.text), describe_replacements(joined, "strict")
        sentences = describe_sentences(joined.sentences)
        return StepOutcome(StepResult(output=joined.text, output_tokens=tokens, guards=notes, sentences=sentences))

    def _render(
        self, claim: Claim, prompts: PromptSet, inputs: tuple[StepInput, ...], outputs: Mapping[StepKey, str]
    ) -> RenderedStep:
        return StepRenderer(prompts, Limits(**(claim.limits or {})), self._generator).render_step(
            StepSpec(StepKey(claim.kind, claim.level, claim.index), inputs),  # type: ignore[arg-type]
            chunk_texts={
                index: join_headings(text, tuple(headings)) for index, headings, text, _ in claim.chunks or ()
            },
            outputs=outputs,
        )

    def _ground_cached(self, claim: Claim, cached: StepResult, options: JobOptions) -> StepOutcome:
        """Return a stored answer with the spans of this document; the same answer may have another place in it."""
        grounded = self._grounder.ground(claim, cached.output, mode=options.grounding, language=options.language)
        tokens = self._generator.count_tokens(grounded.text)
        sentences = describe_sentences(grounded.sentences)
        return StepOutcome(replace(cached, output=grounded.text, output_tokens=tokens, sentences=sentences))

    def _describe_grounding(self, options: JobOptions) -> str | None:
        """Return the part of a step's identity that grounding determines; None without grounding."""
        if options.grounding == "off":
            return None
        return f"{options.grounding} {options.candidates} {self._grounder.fingerprint}"

    def _describe(
        self, answer: Answer, grounded: GroundedAnswer, prompts: PromptSet, identity: str, notes: tuple[Json, ...]
    ) -> StepResult:
        return StepResult(
            output=grounded.text,
            output_tokens=self._generator.count_tokens(grounded.text),
            identity=identity,
            prompt_fingerprint=prompts.fingerprint,
            weights_fingerprint=self._generator.fingerprint,
            params=answer.params.describe(),
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            finish_reason=answer.finish_reason,
            seconds=answer.seconds,
            guards=notes,
            sentences=describe_sentences(grounded.sentences),
        )


def limit_grounded(grounded: GroundedAnswer, words: int | None) -> GroundedAnswer:
    """Return an answer without the sentences beyond a requested length."""
    if words is None:
        return grounded
    text = limit_sentences(grounded.text, words)
    kept = tuple(sentence for sentence in grounded.sentences if sentence.end <= len(text))
    return replace(grounded, text=text, sentences=kept)


def is_final(claim: Claim) -> bool:
    """Tell whether a step's output may be the summary; every refine step's may, if later ones fail."""
    return claim.kind in (StepKind.STUFF, StepKind.REDUCE, StepKind.REFINE) or is_last(claim)
