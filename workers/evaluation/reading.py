"""What was found out about one summary, sentence by sentence and question by question."""

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
    """One sentence of the summary.

    Args:
        sentence: its text and place.
        overlap: what it shares with the source.
        gain: how much likelier the source makes it, in nats per token; None without a generator.
        facts: its names, numbers and dates.
        novel: those of them that the source does not have.
        unlinked: those that the source has, but never near the words beside them here.
    """

    sentence: Sentence
    overlap: Overlap
    gain: float | None
    facts: tuple[Candidate, ...]
    novel: tuple[Candidate, ...]
    unlinked: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything measured about a summary.

    Args:
        readings: its sentences.
        answered: the questions that passed the filters.
        asked: how many candidates there were to ask for.
    """

    readings: tuple[SentenceFindings, ...]
    answered: tuple[Answered, ...]
    asked: int

    @property
    def signals(self) -> dict[str, float | None]:
        """The signals by name, each a mean over what it counts; None where there is nothing to count."""
        facts = sum(len(reading.facts) for reading in self.readings)
        novel = sum(len(reading.novel) for reading in self.readings)
        return {
            "words": average(reading.overlap.words for reading in self.readings),
            "bigrams": average(reading.overlap.bigrams for reading in self.readings),
            "links": average(reading.overlap.links for reading in self.readings),
            "facts": 1 - novel / facts if facts else None,
            "likelihood": average(reading.gain for reading in self.readings),
            "qags": average(each.f1 for each in self.answered),
        }


def average(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there, None if none is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
