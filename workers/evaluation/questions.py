"""Questions about a summary with the answers that the summary and its source give."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from workers.evaluation.answers import normalize_answer, score_f1
from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.words import Sentence, split_sentences

# An answer of the source that is less like the summary's contradicts it.
AGREEING_F1 = 0.5

# The order in which candidates are asked for: what can be checked best comes first.
_PREFERENCE = (CandidateKind.DATE, CandidateKind.NUMBER, CandidateKind.NAME, CandidateKind.PHRASE)


@dataclass(frozen=True, slots=True)
class QuestionTarget:
    """What a question is to ask for: a candidate, its span relative to its sentence, and the sentence."""

    candidate: Candidate
    sentence: Sentence

    @property
    def cloze(self) -> tuple[str, str]:
        """The sentence's text before and behind the candidate."""
        return self.sentence.text[: self.candidate.start], self.sentence.text[self.candidate.end :]


@dataclass(frozen=True, slots=True)
class Answered:
    """One question and what came of it.

    Args:
        target: what it asks for.
        question: its words; a cloze has a blank.
        summary_answer: the answer that the summary gives.
        source_answer: the answer that the source gives, ``unanswerable`` if it gives none.
        is_in_source: whether the source has the words that were asked for, wherever.
    """

    target: QuestionTarget
    question: str
    summary_answer: str
    source_answer: str
    is_in_source: bool

    @property
    def f1(self) -> float:
        """How alike the two answers are, from 0 to 1."""
        return score_f1(self.source_answer, self.summary_answer)

    @property
    def is_doubtful(self) -> bool:
        """Tell whether the source does not bear out what the summary says."""
        return self.f1 < AGREEING_F1


def choose_targets(summary: str, *, most: int) -> list[QuestionTarget]:
    """Return what to ask for, facts before phrases and every sentence in turn; nothing twice."""
    queues = [
        sorted((QuestionTarget(each, sentence) for each in find_candidates(sentence.text)), key=_get_preference)
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
