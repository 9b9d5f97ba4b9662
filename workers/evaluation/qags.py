"""QAGS: agreement of the summary's and the source's answers to questions (Wang, Cho, Lewis, ACL 2020).

Answers are normalized and compared by token F1, as in SQuAD (Rajpurkar et al., EMNLP 2016). Weakness: statements
without a question go unmeasured, and a weak generator asks or answers wrongly.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.lexical import Sentence, split_sentences
from workers.evaluation.metric import Metric, reject

# Answer of a text that does not contain the fact; two such answers agree.
UNANSWERABLE = "unanswerable"

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return an answer in lower case, without punctuation, articles or extra white space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def score_f1(answer: str, expected: str) -> float:
    """Return the token F1 of two answers, from 0 to 1."""
    some, others = normalize_answer(answer).split(), normalize_answer(expected).split()
    if not some or not others:
        return float(some == others)
    common = sum((Counter(some) & Counter(others)).values())
    return 2 * common / (len(some) + len(others))


# Answers with a lower F1 contradict each other.
AGREEING_F1 = 0.5

# Order of candidate kinds, the most checkable first.
_PREFERENCE = (CandidateKind.DATE, CandidateKind.NUMBER, CandidateKind.NAME, CandidateKind.PHRASE)


@dataclass(frozen=True, slots=True)
class QuestionTarget:
    """Target of a question: a candidate, with its span relative to its sentence, and the sentence."""

    candidate: Candidate
    sentence: Sentence

    @property
    def cloze(self) -> tuple[str, str]:
        """Text of the sentence before and after the candidate."""
        return self.sentence.text[: self.candidate.start], self.sentence.text[self.candidate.end :]


@dataclass(frozen=True, slots=True)
class Answered:
    """Question with both answers.

    Args:
        target: the target candidate.
        question: text of the question; a cloze has a blank.
        summary_answer: answer of the summary.
        source_answer: answer of the source; ``unanswerable`` without one.
        is_in_source: whether the words of the target occur anywhere in the source.
    """

    target: QuestionTarget
    question: str
    summary_answer: str
    source_answer: str
    is_in_source: bool

    @property
    def f1(self) -> float:
        """Token F1 of the two answers, from 0 to 1."""
        return score_f1(self.source_answer, self.summary_answer)

    @property
    def is_doubtful(self) -> bool:
        """Whether the source's answer contradicts the summary's."""
        return self.f1 < AGREEING_F1


def choose_targets(summary: str, *, most: int) -> list[QuestionTarget]:
    """Return distinct targets, facts before phrases and the sentences in turn."""
    queues = [
        sorted(
            (QuestionTarget(candidate, sentence) for candidate in find_candidates(sentence.text)), key=_get_preference
        )
        for sentence in split_sentences(summary)
    ]
    in_turns = [target for row in zip_longest(*queues) for target in row if target is not None]
    in_turns.sort(key=lambda target: target.candidate.kind is CandidateKind.PHRASE)
    distinct: dict[tuple[int, str], QuestionTarget] = {}
    for target in in_turns:
        distinct.setdefault((target.sentence.start, normalize_answer(target.candidate.text)), target)
    return list(distinct.values())[:most]


def _get_preference(target: QuestionTarget) -> int:
    return _PREFERENCE.index(target.candidate.kind)


def summarize_questions(answered: Sequence[Answered], *, asked: int) -> Metric:
    """Return the mean F1 of both answers, with every question as evidence.

    Args:
        answered: questions that passed the filters.
        asked: number of targets before the filters.
    """
    questions = [describe_question(question) for question in answered]
    evidence = {"asked": asked, "kept": len(answered), "questions": questions}
    if not answered:
        return reject(f"none of {asked} questions passed the filters or fits the context", evidence)
    return Metric(fmean(question.f1 for question in answered), evidence=evidence)


def describe_question(answered: Answered) -> dict[str, object]:
    """Return a question as JSON values, with the span of its target in the summary."""
    target = answered.target
    start = target.sentence.start + target.candidate.start
    return {
        "question": answered.question,
        "kind": str(target.candidate.kind),
        "start": start,
        "end": start + len(target.candidate.text),
        "expected": target.candidate.text,
        "summary_answer": answered.summary_answer,
        "source_answer": answered.source_answer,
        "is_in_source": answered.is_in_source,
        "f1": round(answered.f1, 4),
    }
