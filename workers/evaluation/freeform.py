"""Free-form questions: generated and answered by instruct weights, with the filters of QAGS (Wang et al., ACL 2020).

A question is dropped if it has no question mark, is too short, is a duplicate, contains its own answer, if the
summary's answer to it is not the target candidate, or if one of its prompts does not fit the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workers.evaluation.candidates import is_in_source
from workers.evaluation.lexical import SourceIndex
from workers.evaluation.limits import StopConditions
from workers.evaluation.qags import UNANSWERABLE, Answered, QuestionTarget, normalize_answer, score_f1
from workers.generation import GenerationParams, Part, Prompt, TextGenerator, Turn

# Minimum words of a question, as in the paper.
MIN_QUESTION_WORDS = 3

# Minimum F1 of the summary's answer and the target candidate.
ANSWERED_BACK_F1 = 0.5

# Concurrent requests, which the engine batches.
REQUESTS_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Questioner:
    """Questioner of instruct weights about a summary and its source.

    Args:
        generator: engine with instruct weights.
        index: index of the whole source.
        limits: stop conditions.
    """

    generator: TextGenerator
    index: SourceIndex
    limits: StopConditions

    def ask(self, targets: Sequence[QuestionTarget], *, summary: str, excerpt: str) -> list[Answered]:
        """Return the questions that pass every filter, with both answers."""
        posed = self._generate([ask_for(target.candidate.text, summary) for target in targets])
        distinct = {
            question: target
            for question, target in zip(posed, targets, strict=True)
            if question is not None and _is_usable(question, target)
        }
        back = self._generate([answer_from(summary, question) for question in distinct])
        kept = [
            (question, target, answer)
            for (question, target), answer in zip(distinct.items(), back, strict=True)
            if answer is not None and score_f1(answer, target.candidate.text) >= ANSWERED_BACK_F1
        ]
        found = self._generate([answer_from(excerpt, question) for question, _, _ in kept])
        return [
            Answered(
                target,
                question,
                answer,
                read_answer(source_answer),
                is_in_source(target.candidate.text, self.index),
            )
            for (question, target, answer), source_answer in zip(kept, found, strict=True)
            if source_answer is not None
        ]

    def _generate(self, prompts: Sequence[Prompt]) -> list[str | None]:
        """Return the first generated line of each prompt; None for a prompt that does not fit the context."""
        with ThreadPoolExecutor(REQUESTS_TOGETHER) as pool:
            return list(pool.map(self._generate_line, prompts))

    def _generate_line(self, prompt: Prompt) -> str | None:
        if self.generator.count_prompt_tokens(prompt) + SHORT_LINE.max_new_tokens > self.generator.context_tokens:
            return None
        generation = self.generator.generate(
            prompt, SHORT_LINE, deadline=self.limits.deadline, cancelled=self.limits.cancelled
        )
        self.limits.check(generation.finish_reason)
        return generation.text.strip().partition("\n")[0]


def read_answer(text: str) -> str:
    """Return an answer, or ``unanswerable`` if the answer is empty or contains that word."""
    words = normalize_answer(text).split()
    return UNANSWERABLE if not words or UNANSWERABLE in words else text


def _is_usable(question: str, target: QuestionTarget) -> bool:
    answer = normalize_answer(target.candidate.text)
    is_question = question.endswith("?") and len(question.split()) >= MIN_QUESTION_WORDS
    return is_question and f" {answer} " not in f" {normalize_answer(question)} "


# Enough tokens for one short line.
SHORT_LINE = GenerationParams(do_sample=False, max_new_tokens=48)


def ask_for(answer: str, text: str) -> Prompt:
    """Return the prompt for a question about a text with the given answer."""
    return _build_prompt(
        "Write one question that the following text answers. The answer must be exactly: ",
        Part(answer, is_untrusted=True),
        "\n\nText:\n",
        Part(text, is_untrusted=True),
        "\n\nWrite the question alone.",
    )


def answer_from(text: str, question: str) -> Prompt:
    """Return the prompt for a text's answer to a question."""
    return _build_prompt(
        "Answer the question with a few words of the following text. "
        f"If the text does not say it, write: {UNANSWERABLE}\n\nText:\n",
        Part(text, is_untrusted=True),
        "\n\nQuestion: ",
        Part(question, is_untrusted=True),
        "\nWrite the answer alone.",
    )


def _build_prompt(*pieces: str | Part) -> Prompt:
    parts = tuple(Part(piece) if isinstance(piece, str) else piece for piece in pieces)
    return Prompt((Turn("user", parts),))
