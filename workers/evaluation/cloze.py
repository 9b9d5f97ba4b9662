"""Cloze questions: a sentence of the summary with a blank, for weights too small to ask and answer in words.

The summary answers with what it has in the blank. The source answers with the span of its own that the weights find
likeliest there, behind an excerpt of the source; where no sentence of it speaks of the matter, it gives no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.answers import UNANSWERABLE, normalize_answer
from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates
from workers.evaluation.facts import is_in_source
from workers.evaluation.overlap import SourceIndex
from workers.evaluation.questions import Answered, QuestionTarget
from workers.evaluation.words import read_words, split_sentences

BLANK = "____"

# Other answers that the weights choose from; each costs a scored sentence.
MAX_RIVALS = 3

# A rival of the same kind counts like one in a sentence that shares so many times as many words with the question.
SAME_KIND_WEIGHT = 2

# Words behind the blank that are scored with an answer: they tell whether it fits, and each costs time.
SCORED_WORDS_BEHIND = 3

# Characters before the blank that are scored: a pathological sentence must not fill the memory with its logits.
SCORED_CHARACTERS_BEFORE = 300

# Without capitals a name is found as a phrase, so that these two may answer each other.
_WORDY = {CandidateKind.NAME, CandidateKind.PHRASE}


@dataclass(frozen=True, slots=True)
class Rival:
    """A span of the source that might belong into the blank, and the words of its sentence."""

    candidate: Candidate
    context: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cloze:
    """A sentence with a blank and the source's possible answers.

    Args:
        target: what is blanked.
        options: spans of the source, the summary's own answer first if the source has it too.
        is_in_source: whether the source has the words of the summary's own answer, wherever.
    """

    target: QuestionTarget
    options: tuple[str, ...]
    is_in_source: bool

    @property
    def question(self) -> str:
        """The sentence with its blank."""
        return BLANK.join(self.target.cloze)

    @property
    def filled(self) -> list[str]:
        """The texts to score, one for each option, as far as they are needed to compare them."""
        if len(self.options) < 2:
            return []
        before, behind = self.target.cloze
        words = read_words(behind)[:SCORED_WORDS_BEHIND]
        rest = behind[: words[-1].end] if words else ""
        return [before[-SCORED_CHARACTERS_BEFORE:] + option + rest for option in self.options]

    def answer(self, scores: Sequence[float]) -> Answered:
        """Return the question with both answers.

        Args:
            scores: the log-probability of each filled text.
        """
        best = max(range(len(scores)), key=scores.__getitem__, default=0)
        source_answer = self.options[best] if self.options else UNANSWERABLE
        own = self.target.candidate.text
        return Answered(self.target, self.question, own, source_answer, self.is_in_source)


def collect_rivals(excerpt: str) -> list[Rival]:
    """Return the candidates of an excerpt with the words around them."""
    return [
        Rival(candidate, _get_content(sentence.text))
        for sentence in split_sentences(excerpt)
        for candidate in find_candidates(sentence.text)
    ]


def pose_cloze(target: QuestionTarget, *, rivals: Sequence[Rival], index: SourceIndex) -> Cloze:
    """Return the cloze question for a target with the options that the source offers."""
    own = target.candidate.text
    around = _get_content(" ".join(target.cloze))
    fitting = [rival for rival in rivals if rival.context & around and _can_replace(rival.candidate, target, around)]
    fitting.sort(key=lambda rival: -len(rival.context & around) * _weigh_kind(rival.candidate, target))
    has_own = index.has_sequence([word.key for word in read_words(own)])
    distinct = {normalize_answer(own): own}
    for rival in fitting:
        distinct.setdefault(normalize_answer(rival.candidate.text), rival.candidate.text)
    options = list(distinct.values())[: 1 + MAX_RIVALS]
    return Cloze(target, tuple(options if has_own else options[1:]), is_in_source(own, index))


def _can_replace(candidate: Candidate, target: QuestionTarget, around: frozenset[str]) -> bool:
    """Tell whether a span is of the target's kind and not in its sentence already."""
    kinds = {candidate.kind, target.candidate.kind}
    return (len(kinds) == 1 or kinds == _WORDY) and not _get_content(candidate.text) <= around


def _weigh_kind(candidate: Candidate, target: QuestionTarget) -> int:
    return SAME_KIND_WEIGHT if candidate.kind is target.candidate.kind else 1


def _get_content(text: str) -> frozenset[str]:
    return frozenset(word.key for word in read_words(text) if word.is_content)
