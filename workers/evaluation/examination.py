"""Examination: measures all signals of a summary with a minimum of engine calls, two for base weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.cloze import Cloze, collect_distractors, pose_cloze
from workers.evaluation.findings import Findings, SentenceFindings
from workers.evaluation.freeform import Questioner
from workers.evaluation.lexical import Sentence, SourceIndex, index_source, read_words, split_sentences
from workers.evaluation.likelihood import condition_on, cut_sentences, measure_gains, score_texts
from workers.evaluation.limits import StopConditions
from workers.evaluation.qags import Answered, QuestionTarget, choose_targets
from workers.evaluation.retrieval import pick_excerpt
from workers.evaluation.verification import ClaimJudge, SourceText
from workers.generation import PromptFormat, TextGenerator

# Maximum questions about a summary; QAGS uses 10, and each costs the engine a few short texts.
MAX_QUESTIONS = 6

# Maximum tokens of the source in one prompt, chosen by BM25.
MAX_SOURCE_TOKENS = 512

# An excerpt takes at most one part in this many of the context; the rest is for scored and generated text.
ROOM_SHARE = 4


@dataclass(frozen=True, slots=True)
class Examiner:
    """Examiner of summaries, with or without a generator.

    Args:
        generator: engine; None measures only the signals without a generator.
        limits: stop conditions.
        judge: verifier; None measures only the signals without one.
    """

    generator: TextGenerator | None
    limits: StopConditions
    judge: ClaimJudge | None = None

    def examine(self, source: str, summary: str) -> Findings:
        """Measure a summary against its source.

        Raises:
            EvaluationInterruptedError: cancelled, or past the deadline.
        """
        index = index_source(source)
        sentences = split_sentences(summary)
        targets = choose_targets(summary, most=MAX_QUESTIONS)
        gains: list[float | None] = [None] * len(sentences)
        answered: list[Answered] = []
        if self.generator is not None and targets and index.keys:
            excerpt = self._excerpt(self.generator, source, query=summary)
            gains, answered = self._consult(
                self.generator, excerpt, sentences=sentences, targets=targets, index=index, summary=summary
            )
        self.limits.check()
        verified = SourceText(source, self.judge).verify([sentence.text for sentence in sentences])
        readings = (
            SentenceFindings(sentence, index.measure_overlap(read_words(sentence.text)), gain, verification)
            for sentence, gain, verification in zip(sentences, gains, verified, strict=True)
        )
        return Findings(tuple(readings), tuple(answered), asked=len(targets))

    def _consult(
        self,
        generator: TextGenerator,
        excerpt: str,
        *,
        sentences: Sequence[Sentence],
        targets: Sequence[QuestionTarget],
        index: SourceIndex,
        summary: str,
    ) -> tuple[list[float | None], list[Answered]]:
        """Return the likelihood gain of each sentence, and the answered questions."""
        cut = cut_sentences([sentence.text for sentence in sentences])
        clozes = self._pose_clozes(generator, excerpt, targets, index)
        filled = [text for cloze in clozes for text in cloze.filled]
        self.limits.check()
        informed = score_texts(generator, condition_on(excerpt, generator.prompt_format), [*cut, *filled])
        self.limits.check()
        gains = measure_gains(generator, cut, informed)
        if clozes:
            fitting = [cloze for cloze in clozes if all(text in informed for text in cloze.filled)]
            return gains, [cloze.answer([informed[text] for text in cloze.filled]) for cloze in fitting]
        shown = self._excerpt(generator, summary, query=summary)
        return gains, Questioner(generator, index, self.limits).ask(targets, summary=shown, excerpt=excerpt)

    def _pose_clozes(
        self, generator: TextGenerator, excerpt: str, targets: Sequence[QuestionTarget], index: SourceIndex
    ) -> list[Cloze]:
        """Return the targets' cloze questions; none for instruct weights, which get free-form questions."""
        if generator.prompt_format is PromptFormat.CHAT:
            return []
        distractors = collect_distractors(excerpt)
        return [pose_cloze(target, distractors=distractors, index=index) for target in targets]

    def _excerpt(self, generator: TextGenerator, text: str, *, query: str) -> str:
        """Return the excerpt of a text that fits a prompt."""
        budget = min(MAX_SOURCE_TOKENS, generator.context_tokens // ROOM_SHARE)
        return pick_excerpt(text, query, counter=generator, budget_tokens=budget)
