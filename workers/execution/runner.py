"""Run of one step: loads its inputs, and plans, generates or measures. Writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict, Unpack

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
from workers.execution.checks import measure_summary
from workers.execution.combining import (
    add_differences,
    complete,
    describe_coverage,
    ends_digest,
    is_final,
    join_short,
    limit_grounded,
)
from workers.execution.grounding import Grounder, describe_replacements, describe_sentences, settle_guards
from workers.execution.job_options import make_prompts, needs_no_call, read_options
from workers.execution.plan_runner import PlanRunner
from workers.execution.progression import StepOutcome, read_inputs
from workers.execution.store import StepStore
from workers.execution.structured_answers import generate_structured, ground_structured
from workers.generation import GenerationParams, TextGenerator
from workers.summarization.chunks import join_headings
from workers.summarization.errors import SummarizationError
from workers.summarization.extraction import extract
from workers.summarization.grounded import GroundedAnswer
from workers.summarization.lengths import limit_tokens
from workers.summarization.limits import Limits
from workers.summarization.prompts import PromptSet
from workers.summarization.quotation import Quotation, quote_spans, quote_whole
from workers.summarization.rendering import RenderedStep, StepRenderer, identify_step
from workers.summarization.retries import vary_params
from workers.summarization.steps import StepInput, StepKey, StepSpec
from workers.summarization.structure import find_headings
from workers.summarization.structured import read_answer
from workers.summarization.wrapping import mask_wraps, unwrap
from workers.weights.trained_prompt import TrainedPrompt

log = structlog.get_logger()

# A generated answer, its grounded form, and further notes on it.
Written = tuple[Answer, GroundedAnswer, tuple[Json, ...]]


class Until(TypedDict):
    """End of a step's time: an event, or a ``time.monotonic`` value."""

    stopped: threading.Event
    deadline: float


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
        self._judge = judge
        self._grounder = Grounder(store, judge)
        self._planner = PlanRunner(store, generator, trained_prompt)

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
                return self._planner.run(claim)
            if claim.kind == StepKind.EVALUATE:
                return self._check(claim, stopped, seconds)
            if claim.kind == StepKind.CHAT:
                return self._answer(claim, stopped, seconds)
            is_extract = claim.kind == StepKind.EXTRACT
            outcome = self._extract(claim) if is_extract else self._generate(claim, stopped, seconds)
            if outcome is None or not ends_digest(claim, read_options(claim.options)):
                return outcome
            text, _ = self._store.read_document(claim)
            return StepOutcome(add_differences(outcome.result, text, self._generator.count_tokens))
        except (SummarizationError, PromptTooLongError, UnsupportedPromptError, UnsupportedRequestError) as error:
            raise PermanentError(str(error)) from error
        finally:
            self._grounder.forget(claim)

    def _check(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        document, summary = self._store.read_texts(claim)
        return measure_summary(
            self._generator,
            self._judge,
            source=mask_wraps(document),
            summary=summary,
            stopped=stopped,
            seconds=seconds,
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

    def _extract(self, claim: Claim) -> StepOutcome:
        text, _ = self._store.read_document(claim)
        return self._quote(quote_spans(text, extract(text, words=read_options(claim.options).words)))

    def _quote_short(self, claim: Claim, options: JobOptions) -> Quotation | None:
        """Return the text of a step that reads nothing but a short chunk; None for any other step."""
        if len(claim.inputs) != 1 or not claim.chunks:
            return None
        [(_, _, text, start)] = claim.chunks
        if not needs_no_call(options, text, tokens=self._generator.count_tokens(text)):
            return None
        headings = find_headings(text, claim.document_format)  # type: ignore[arg-type]  # a constraint of the table
        return quote_whole(text, offset=start, headings=headings)

    def _quote(self, quotation: Quotation) -> StepOutcome:
        """Return an output that no weights made."""
        tokens = self._generator.count_tokens(quotation.text)
        sentences = tuple(sentence.describe() for sentence in quotation.sentences)
        return StepOutcome(StepResult(output=quotation.text, output_tokens=tokens, sentences=sentences))

    def _generate(self, claim: Claim, stopped: threading.Event, seconds: float) -> StepOutcome | None:
        options = read_options(claim.options)
        is_prose = options.output_schema is None
        if is_prose and (quotation := self._quote_short(claim, options)):
            return self._quote(quotation)
        prompts = make_prompts(options, self._generator.prompt_format)
        inputs = read_inputs(claim.inputs)
        outputs = self._store.read_outputs(claim, [key for key in inputs if isinstance(key, StepKey)])
        combined = [outputs[key] for key in inputs if isinstance(key, StepKey)]
        if is_prose and (joined := join_short(self._grounder, claim, combined, options)):
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
        until: Until = {"stopped": stopped, "deadline": time.monotonic() + seconds}
        if is_prose:
            written = self._write(claim, rendered, params, options, combined, **until)
        else:
            written = self._structure(claim, rendered, params, options, **until)
        if written is None:
            return None
        answer, grounded, found = written
        clips = ({"name": "clipped", "words": clip, "try": 0, "stands": True} for clip in rendered.notes)
        replaced = describe_replacements(grounded, options.grounding)
        notes = (*clips, *settle_guards(answer.guards, grounded), *self._remarks, *replaced, *found)
        return StepOutcome(self._describe(answer, grounded, prompts, identity, notes))

    def _write(
        self,
        claim: Claim,
        rendered: RenderedStep,
        params: GenerationParams,
        options: JobOptions,
        combined: Sequence[str],
        **until: Unpack[Until],
    ) -> Written | None:
        """Write prose, and ground it."""
        words = options.words if is_final(claim) else None
        generate = partial(generate_answer, self._generator, rendered, language=options.language, words=words, **until)
        found = self._grounder.generate(claim, generate, params, options)
        if found is None:
            return None
        # A quotation may be longer than the sentence in whose place it stands.
        answer, grounded = found[0], limit_grounded(found[1], words)
        grounded = complete(self._grounder, claim, grounded, combined, options)
        return answer, grounded, describe_coverage(claim, grounded.text, combined)

    def _structure(
        self,
        claim: Claim,
        rendered: RenderedStep,
        params: GenerationParams,
        options: JobOptions,
        **until: Unpack[Until],
    ) -> Written | None:
        """Write JSON of the job's schema, and ground its values."""
        structured = generate_structured(self._generator, rendered.prompt, params, options.output_schema or "", **until)
        if structured is None:
            return None
        grounded, notes = ground_structured(self._grounder, claim, structured.data, options)
        return structured.answer, grounded, notes

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
                index: join_headings(unwrap(text), tuple(headings)) for index, headings, text, _ in claim.chunks or ()
            },
            outputs=outputs,
        )

    def _ground_cached(self, claim: Claim, cached: StepResult, options: JobOptions) -> StepOutcome:
        """Return a stored answer with the spans of this document; the same answer may have another place in it."""
        if options.output_schema is None:
            grounded = self._grounder.ground(claim, cached.output, mode=options.grounding, language=options.language)
        else:
            grounded, _ = ground_structured(self._grounder, claim, read_answer(cached.output) or {}, options)
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
