"""Grounding of a step's answer in its part of the document: its chunks, or those behind outputs that it combines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from threading import Lock
from uuid import UUID

from models.base import Json
from models.claims import Claim
from models.options import JobOptions
from workers.errors import PermanentError
from workers.evaluation.verification import ClaimJudge, SourceText
from workers.execution.attempts import Answer, note_guard
from workers.execution.store import StepStore
from workers.generation import GenerationParams
from workers.summarization.candidates import choose_best_grounded, vary_candidate
from workers.summarization.grounded import GroundedAnswer, GroundedSentence
from workers.summarization.grounding import Grounding, ground_answer, quote_salient
from workers.summarization.packing import Span
from workers.summarization.wrapping import mask_wraps

# Sources kept indexed: the steps of a job that read the same part follow each other.
KEPT_SOURCES = 8
# Between two parts of a document that do not meet.
GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class SourcePart:
    """Part of a document.

    Args:
        start: offset in the document, in code points.
        text: its text.
    """

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class StepSource:
    """Indexed text that a step's answer must follow from.

    Args:
        text: the indexed text, made of the parts.
        parts: the parts, in order.
    """

    text: SourceText
    parts: tuple[SourcePart, ...]

    def locate(self, sentence: GroundedSentence) -> GroundedSentence:
        """Return a sentence with its spans as offsets in the document."""
        return replace(
            sentence, spans=tuple(span for start, end in sentence.spans for span in self.find_spans(start, end))
        )

    def find_spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield the spans of the document that a span of the text is made of."""
        offset = 0
        for part in self.parts:
            first, last = max(start, offset), min(end, offset + len(part.text))
            if first < last:
                yield part.start + first - offset, part.start + last - offset
            offset += len(part.text) + len(GAP)


class Grounder:
    """Grounds answers; thread-safe.

    Args:
        store: only read.
        judge: verifier of this process; None to check facts only.
    """

    def __init__(self, store: StepStore, judge: ClaimJudge | None) -> None:
        self._store = store
        self._judge = judge
        self._lock = Lock()
        self._kept: OrderedDict[tuple[object, ...], StepSource] = OrderedDict()
        # Of running steps, by the tokens of their claims: a step asks for its source several times.
        self._running: dict[UUID, StepSource] = {}

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the judge, for the identity of a step's result."""
        return "facts" if self._judge is None else self._judge.fingerprint

    def generate(
        self,
        claim: Claim,
        generate: Callable[[GenerationParams], Answer | None],
        params: GenerationParams,
        options: JobOptions,
    ) -> tuple[Answer, GroundedAnswer] | None:
        """Generate an answer and ground it; if not all of it is borne out, choose the best of several candidates.

        Args:
            claim: the step.
            generate: generates one answer; called from several threads, so that the engine batches the candidates.
            params: of the first candidate.
            options: options of the step's job: mode of grounding, maximum number of answers, requested language.

        Returns:
            The answer, with the tokens and seconds of all, and its grounded form; None if the step was stopped.
        """
        ground = partial(self.ground, claim, mode=options.grounding, language=options.language)
        first = generate(params)
        if first is None:
            return None
        found = [(first, ground(first.text))]
        if options.candidates > 1 and found[0][1].replaced:
            varied = [vary_candidate(params, number) for number in range(1, options.candidates)]
            with ThreadPoolExecutor(len(varied), thread_name_prefix="candidate") as pool:
                others = list(pool.map(partial(_generate_further, generate), varied))
            found += [(other, ground(other.text)) for other in others if other is not None]
        best, grounded = choose_best_grounded(found)
        tokens = sum(answer.completion_tokens for answer, _ in found)
        return replace(best, completion_tokens=tokens, seconds=sum(answer.seconds for answer, _ in found)), grounded

    def ground(self, claim: Claim, text: str, *, mode: Grounding, language: str | None = None) -> GroundedAnswer:
        """Ground an answer of a step; the spans of its sentences are offsets in the document."""
        if mode == "off":
            return ground_answer(text, None, mode=mode)
        source = self.find_source(claim)
        grounded = ground_answer(text, source.text, mode=mode, language=language)
        return replace(grounded, sentences=tuple(map(source.locate, grounded.sentences)))

    def quote_salient(self, claim: Claim, grounded: GroundedAnswer, *, words: int) -> GroundedAnswer:
        """Return quotations of salient sentences that complete a step's answer to a length.

        Args:
            claim: the step.
            grounded: its answer.
            words: length of the answer with the quotations.
        """
        source = self.find_source(claim)
        cited = [span for sentence in grounded.sentences for span in sentence.spans]

        def is_cited(span: Span) -> bool:
            return any(start < last and first < end for start, end in source.find_spans(*span) for first, last in cited)

        answer = quote_salient(source.text.text, grounded.text, is_cited=is_cited, words=words)
        return replace(answer, sentences=tuple(map(source.locate, answer.sentences)))

    def find_source(self, claim: Claim) -> StepSource:
        """Return the indexed text behind a step, which is kept until ``forget``."""
        source = self._running.get(claim.token)
        if source is None:
            source = self._running[claim.token] = self._index_source(claim)
        return source

    def forget(self, claim: Claim) -> None:
        """Let go of the text behind a step that has ended."""
        self._running.pop(claim.token, None)

    def _index_source(self, claim: Claim) -> StepSource:
        parts = self._read_parts(claim)
        key = (claim.document_sha256, *((part.start, len(part.text)) for part in parts))
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        text = GAP.join(mask_wraps(part.text) for part in parts)
        source = StepSource(SourceText(text, self._judge), tuple(parts))
        with self._lock:
            self._kept[key] = source
            while len(self._kept) > KEPT_SOURCES:
                self._kept.popitem(last=False)
        return source

    def _read_parts(self, claim: Claim) -> Sequence[SourcePart]:
        if claim.chunks is not None and all("chunk" in source for source in claim.inputs) and len(claim.inputs) == 1:
            [(_, _, text, start)] = claim.chunks
            return [SourcePart(start, text)]
        return [SourcePart(start, text) for start, text in self._store.read_source(claim)]


def _generate_further(generate: Callable[[GenerationParams], Answer | None], params: GenerationParams) -> Answer | None:
    """Return a further candidate; None if it is empty, which leaves those that are there."""
    try:
        return generate(params)
    except PermanentError:
        return None


def describe_sentences(sentences: Sequence[GroundedSentence]) -> tuple[Json, ...]:
    """Return sentences as they are stored with a step."""
    return tuple({**asdict(sentence), "spans": [list(span) for span in sentence.spans]} for sentence in sentences)


def settle_guards(guards: Sequence[Json], grounded: GroundedAnswer) -> tuple[Json, ...]:
    """Return the guards of an answer before its grounding: none stands where all that is left are quotations."""
    is_quoted = bool(grounded.sentences) and all(sentence.kind == "quoted" for sentence in grounded.sentences)
    return tuple({**guard, "stands": False} if is_quoted else guard for guard in guards)


def describe_replacements(grounded: GroundedAnswer, mode: Grounding) -> tuple[Json, ...]:
    """Return the note on sentences that the source did not bear out, as an entry of ``steps.guards``."""
    if grounded.language is not None:
        words = f"the document is in {grounded.language.title()}, so none of this answer could be verified"
        return ({"name": "unverified", "words": words, "try": 0, "stands": mode == "strict"},)
    if not grounded.replaced:
        return ()
    total = max(len(grounded.sentences), grounded.replaced)
    what = "quoted or dropped instead" if mode == "strict" else "flagged"
    words = f"{grounded.replaced} of {total} sentences were not borne out by the source and are {what}"
    return (note_guard("ungrounded", words),)
