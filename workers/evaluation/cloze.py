"""Cloze questions: a sentence of the summary with a blank, for weights without instruction tuning.

The summary's answer is its own text in the blank. The source's answer is the span of the source with the highest
likelihood in the blank after an excerpt of the source; without a related sentence in the source there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.evaluation.facts import Candidate, CandidateKind, find_candidates, is_in_source
from workers.evaluation.lexical import SourceIndex, read_words, split_sentences
from workers.evaluation.qags import UNANSWERABLE, Answered, QuestionTarget, normalize_answer

BLANK = "____"

# Alternative answers per question; each costs one scored sentence.
MAX_RIVALS = 3

# Factor on the shared words of a rival of the same kind, in the ranking of rivals.
SAME_KIND_WEIGHT = 2

# Words after the blank that are scored with an answer: they show whether it fits, and each costs time.
SCORED_WORDS_BEHIND = 3

# Characters before the blank that are scored: bounds the memory of the logits for a pathological sentence.
SCORED_CHARACTERS_BEFORE = 300

# Without capitals a name is found as a phrase, so these two kinds may replace each other.
_WORDY = {CandidateKind.NAME, CandidateKind.PHRASE}


@dataclass(frozen=True, slots=True)
class Rival:
    """Alternative answer from the source, with the content words of its sentence."""

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


def collect_rivals(excerpt: str) -> list[Rival]:
    """Return the candidates of an excerpt with the content words of their sentences."""
    return [
        Rival(candidate, _get_content(sentence.text))
        for sentence in split_sentences(excerpt)
        for candidate in find_candidates(sentence.text)
    ]


def pose_cloze(target: QuestionTarget, *, rivals: Sequence[Rival], index: SourceIndex) -> Cloze:
    """Return the cloze question of a target, with the best-matching rivals as options."""
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
    """Tell whether a span has the target's kind and does not occur in its sentence."""
    kinds = {candidate.kind, target.candidate.kind}
    return (len(kinds) == 1 or kinds == _WORDY) and not _get_content(candidate.text) <= around


def _weigh_kind(candidate: Candidate, target: QuestionTarget) -> int:
    return SAME_KIND_WEIGHT if candidate.kind is target.candidate.kind else 1


def _get_content(text: str) -> frozenset[str]:
    return frozenset(word.key for word in read_words(text) if word.is_content)
