"""Questions about a summary: their targets, and the answers of the summary and of its source."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from workers.evaluation.answers import normalize_answer, score_f1
from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.words import Sentence, split_sentences

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
