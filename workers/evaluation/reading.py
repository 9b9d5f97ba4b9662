"""Findings on one summary, by sentence and by question, and the signals computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from workers.evaluation.candidates import Candidate
from workers.evaluation.overlap import Overlap
from workers.evaluation.questions import Answered
from workers.evaluation.words import Sentence


@dataclass(frozen=True, slots=True)
class SentenceFindings:
    """Findings on one sentence of the summary.

    Args:
        sentence: text and span of the sentence.
        overlap: word overlap with the source.
        gain: likelihood gain by the source, in nats per token; None if it was not scored.
        facts: names, numbers and dates of the sentence.
        novel: facts that the source lacks.
        unlinked: facts that occur in the source, but never near their neighbouring words.
    """

    sentence: Sentence
    overlap: Overlap
    gain: float | None
    facts: tuple[Candidate, ...]
    novel: tuple[Candidate, ...]
    unlinked: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings on a summary.

    Args:
        readings: findings by sentence.
        answered: questions that passed the filters.
        asked: number of targets before the filters.
    """

    readings: tuple[SentenceFindings, ...]
    answered: tuple[Answered, ...]
    asked: int

    @property
    def signals(self) -> dict[str, float | None]:
        """Signals by name, each a mean over its items; None without items."""
        facts = sum(len(reading.facts) for reading in self.readings)
        novel = sum(len(reading.novel) for reading in self.readings)
        return {
            "words": average(reading.overlap.words for reading in self.readings),
            "bigrams": average(reading.overlap.bigrams for reading in self.readings),
            "links": average(reading.overlap.links for reading in self.readings),
            "facts": 1 - novel / facts if facts else None,
            "likelihood": average(reading.gain for reading in self.readings),
            "qags": average(question.f1 for question in self.answered),
        }


def average(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None without any."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
