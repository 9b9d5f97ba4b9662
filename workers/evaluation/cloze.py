"""Cloze questions: a sentence of the summary with a blank, for weights without instruction tuning.

The summary's answer is the blanked text. The options of the source are that text, if the source has it, and a few
distractors: similar spans of the source. Its answer is the option with the highest likelihood in the blank after an
excerpt of the source; without options there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.candidates import Candidate, CandidateKind, find_candidates, is_in_source
from workers.evaluation.lexical import SourceIndex, read_content, read_words, split_sentences
from workers.evaluation.qags import UNANSWERABLE, Answered, QuestionTarget, normalize_answer

BLANK = "____"

# Distractors per question; each costs one scored sentence.
MAX_DISTRACTORS = 3

# Distractors are ranked by the number of shared words, times this factor if their kind is the same.
SAME_KIND_WEIGHT = 2

# Words after the blank that are scored with an answer: their likelihood depends on it, and each costs time.
SCORED_WORDS_BEHIND = 3

# Characters before the blank that are scored; a limit, because the logits of a very long sentence fill the memory.
SCORED_CHARACTERS_BEFORE = 300

# A name in lower case is classified as a phrase, so candidates of these two kinds may replace each other.
_WORDY = {CandidateKind.NAME, CandidateKind.PHRASE}


@dataclass(frozen=True, slots=True)
class Distractor:
    """Alternative answer: a span of the source, with the content words of its sentence."""

    candidate: Candidate
    context: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cloze:
    """Sentence with a blank, and the possible answers of the source.

    Args:
        target: the blanked candidate.
        options: spans of the source, first the summary's own answer if the source has it too.
        is_in_source: whether the words of the summary's own answer occur anywhere in the source.
    """

    target: QuestionTarget
    options: tuple[str, ...]
    is_in_source: bool

    @property
    def question(self) -> str:
        """Sentence with its blank."""
        return BLANK.join(self.target.cloze)

    @property
    def filled(self) -> list[str]:
        """Texts to score, one for each option, cut around the blank; empty if there is no choice."""
        if len(self.options) < 2:
            return []
        before, behind = self.target.cloze
        words = read_words(behind)[:SCORED_WORDS_BEHIND]
        rest = behind[: words[-1].end] if words else ""
        return [before[-SCORED_CHARACTERS_BEFORE:] + option + rest for option in self.options]

    def answer(self, scores: Sequence[float]) -> Answered:
        """Return the question with both answers; the option with the highest score is the source's.

        Args:
            scores: log-probability of each filled text, in nats.
        """
        best = max(range(len(scores)), key=scores.__getitem__, default=0)
        source_answer = self.options[best] if self.options else UNANSWERABLE
        own = self.target.candidate.text
        return Answered(self.target, self.question, own, source_answer, self.is_in_source)


def collect_distractors(excerpt: str) -> list[Distractor]:
    """Return the candidates of an excerpt with the content words of their sentences."""
    return [
        Distractor(candidate, read_content(sentence.text))
        for sentence in split_sentences(excerpt)
        for candidate in find_candidates(sentence.text)
    ]


def pose_cloze(target: QuestionTarget, *, distractors: Sequence[Distractor], index: SourceIndex) -> Cloze:
    """Return the cloze question of a target, with the best-matching distractors as options."""
    own = target.candidate.text
    around = read_content(" ".join(target.cloze))
    fitting = [
        distractor
        for distractor in distractors
        if distractor.context & around and _can_replace(distractor.candidate, target, around)
    ]
    fitting.sort(key=lambda distractor: -len(distractor.context & around) * _weigh_kind(distractor.candidate, target))
    has_own = index.has_sequence([word.key for word in read_words(own)])
    distinct = {normalize_answer(own): own}
    for distractor in fitting:
        distinct.setdefault(normalize_answer(distractor.candidate.text), distractor.candidate.text)
    options = list(distinct.values())[: 1 + MAX_DISTRACTORS]
    return Cloze(target, tuple(options if has_own else options[1:]), is_in_source(own, index))


def _can_replace(candidate: Candidate, target: QuestionTarget, around: frozenset[str]) -> bool:
    """Tell whether a span has the target's kind and does not occur in its sentence."""
    kinds = {candidate.kind, target.candidate.kind}
    return (len(kinds) == 1 or kinds == _WORDY) and not read_content(candidate.text) <= around


def _weigh_kind(candidate: Candidate, target: QuestionTarget) -> int:
    return SAME_KIND_WEIGHT if candidate.kind is target.candidate.kind else 1
